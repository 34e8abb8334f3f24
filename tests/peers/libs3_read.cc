// SPDX-License-Identifier: MIT
// libs3_read: reads objects back with libs3, an S3 client that shares no line with hfpour.
//
//   libs3_read HOST:PORT BUCKET KEY             prints SIZE MD5 SHA256, the digests in hex
//
//   libs3_read HOST:PORT BUCKET --list PREFIX   prints SIZE ETAG KEY of each object below
//
// Plain http, path style, credentials from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Exit
// status: 0 done, 1 the store refused or the answer is not whole, 2 wrong usage, 3 libs3 cannot
// name the key.
//
// What Debian's libs3 2.0 needs help with (seen against Ceph 16 and 18):
//
// - It signs with version 2, so it can talk to Ceph and a few others, not to AWS.
// - It writes a space in a path as '+', which a store takes for a plus. Its encoder is an exported
//   function that it calls by name, so the one in this file takes its place. Whether it did is
//   asked before each read; if not (a libs3 built with -Bsymbolic), a key with a space ends in
//   status 3. This takes the shared library: with libs3.a the two definitions collide.
// - libcurl resolves "." and ".." in a path before sending it, without libs3's knowledge: status 3.
// - It reports a GET that ends early as success: the bytes are counted and compared with
//   Content-Length.

#include <libs3.h>
#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

namespace {

constexpr int failed = 1;
constexpr int wrong_usage = 2;
constexpr int cannot_name = 3;

/// libs3 sends what it gets; RFC 3986 leaves these alone, and a key's slashes are the path's.
bool is_plain(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~' || c == '/';
}

}  // namespace

/// Replaces libs3's function of this name (src/util.c of 2.0): percent-encodes `source` into
/// `target`, which has room for three times `max_size` bytes and a zero. 0 if `source` is longer
/// than `max_size`, else 1.
extern "C" __attribute__((visibility("default"), used)) int urlEncode(char* target, const char* source, int max_size) {
  static constexpr char hex[] = "0123456789ABCDEF";
  *target = '\0';
  if (source == nullptr) {
    return 1;
  }
  for (int length = 0; *source != '\0'; ++source, ++length) {
    if (length == max_size) {
      *target = '\0';
      return 0;
    }
    const auto c = static_cast<unsigned char>(*source);
    if (is_plain(c)) {
      *target++ = *source;
    } else {
      *target++ = '%';
      *target++ = hex[c >> 4];
      *target++ = hex[c & 15];
    }
  }
  *target = '\0';
  return 1;
}

namespace {

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

class Digest {
 public:
  explicit Digest(const EVP_MD* algorithm) : context_(EVP_MD_CTX_new()) {
    ok_ = context_ && EVP_DigestInit_ex(context_.get(), algorithm, nullptr) == 1;
  }

  bool update(const char* data, std::size_t size) {
    ok_ = ok_ && EVP_DigestUpdate(context_.get(), data, size) == 1;
    return ok_;
  }

  /// Lower-case hex; empty if OpenSSL failed anywhere. Call once.
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
    unsigned int size = 0;
    if (!ok_ || EVP_DigestFinal_ex(context_.get(), value.data(), &size) != 1) {
      return {};
    }
    static constexpr char hex[] = "0123456789abcdef";
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
      text += hex[value[i] >> 4];
      text += hex[value[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, FreeDigest> context_;
  bool ok_ = false;
};

/// What every request ends with. libs3 hands back a void pointer, which is always one to this.
struct Outcome {
  S3Status status = S3StatusInternalError;
  std::string message;
  std::uint64_t content_length = 0;
};

struct Read : Outcome {
  std::uint64_t size = 0;
  Digest md5{EVP_md5()};
  Digest sha256{EVP_sha256()};
};

struct List : Outcome {
  std::string marker;
  bool more = false;
};

S3Status on_properties(const S3ResponseProperties* properties, void* data) {
  static_cast<Outcome*>(data)->content_length = properties->contentLength;
  return S3StatusOK;
}

void on_complete(S3Status status, const S3ErrorDetails* details, void* data) {
  auto& outcome = *static_cast<Outcome*>(data);
  outcome.status = status;
  if (details != nullptr && details->message != nullptr) {
    outcome.message = details->message;
  }
}

S3Status on_data(int size, const char* bytes, void* data) {
  auto& read = static_cast<Read&>(*static_cast<Outcome*>(data));
  const auto count = static_cast<std::size_t>(size);
  read.size += count;
  const bool hashed = read.md5.update(bytes, count) && read.sha256.update(bytes, count);
  return hashed ? S3StatusOK : S3StatusAbortedByCallback;
}

S3Status on_contents(int truncated, const char* next_marker, int count, const S3ListBucketContent* contents, int,
                     const char**, void* data) {
  auto& list = static_cast<List&>(*static_cast<Outcome*>(data));
  list.more = truncated != 0;
  for (int i = 0; i < count; ++i) {
    std::string etag = contents[i].eTag;
    std::erase(etag, '"');
    std::cout << contents[i].size << ' ' << etag << ' ' << contents[i].key << '\n';
    list.marker = contents[i].key;
  }
  // Stores name the next marker only when there is a delimiter; without one it is the last key.
  if (next_marker != nullptr && *next_marker != '\0') {
    list.marker = next_marker;
  }
  return S3StatusOK;
}

int complain(const std::string& what, const Outcome& outcome) {
  std::cerr << "libs3_read: " << what << ": " << S3_get_status_name(outcome.status);
  if (!outcome.message.empty()) {
    std::cerr << ": " << outcome.message;
  }
  std::cerr << '\n';
  return failed;
}

/// Why libs3 and libcurl would ask for another key than this one; empty if they would not.
std::string unnameable(const S3BucketContext& bucket, const std::string& key) {
  if (key.empty()) {
    return "an empty key means the bucket";
  }
  if (key.size() > S3_MAX_KEY_SIZE) {
    return "longer than S3_MAX_KEY_SIZE";
  }
  const std::string framed = "/" + key + "/";
  if (framed.find("/./") != std::string::npos || framed.find("/../") != std::string::npos) {
    return "libcurl resolves a \".\" or \"..\" in a path";
  }
  std::array<char, S3_MAX_AUTHENTICATED_QUERY_STRING_SIZE + 1> url{};
  if (S3_generate_authenticated_query_string(url.data(), &bucket, "a b", -1, nullptr) != S3StatusOK ||
      std::strstr(url.data(), "/a%20b") == nullptr) {
    if (key.find(' ') != std::string::npos) {
      return "this libs3 encodes a space as '+'";
    }
  }
  return {};
}

int read_object(const S3BucketContext& bucket, const std::string& key) {
  if (const std::string why = unnameable(bucket, key); !why.empty()) {
    std::cerr << "libs3_read: libs3 cannot name the key \"" << key << "\": " << why << '\n';
    return cannot_name;
  }
  Read read;
  Outcome& outcome = read;
  S3GetObjectHandler handler{{on_properties, on_complete}, on_data};
  S3_get_object(&bucket, key.c_str(), nullptr, 0, 0, nullptr, &handler, &outcome);
  if (read.status != S3StatusOK) {
    return complain(key, read);
  }
  if (read.size != read.content_length) {
    std::cerr << "libs3_read: " << key << ": " << read.size << " bytes came, Content-Length is " << read.content_length
              << '\n';
    return failed;
  }
  const std::string md5 = read.md5.finish();
  const std::string sha256 = read.sha256.finish();
  if (md5.empty() || sha256.empty()) {
    std::cerr << "libs3_read: OpenSSL could not compute the digests\n";
    return failed;
  }
  std::cout << read.size << ' ' << md5 << ' ' << sha256 << '\n';
  return 0;
}

int list_objects(const S3BucketContext& bucket, const std::string& prefix) {
  List list;
  Outcome& outcome = list;
  S3ListBucketHandler handler{{on_properties, on_complete}, on_contents};
  do {
    const std::string marker = list.marker;
    list.more = false;
    S3_list_bucket(&bucket, prefix.c_str(), marker.c_str(), nullptr, 0, nullptr, &handler, &outcome);
    if (list.status != S3StatusOK) {
      return complain("list of " + prefix, list);
    }
    if (list.more && list.marker == marker) {
      std::cerr << "libs3_read: list of " << prefix << ": the store goes in circles\n";
      return failed;
    }
  } while (list.more);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool list = argc == 5 && std::string_view(argv[3]) == "--list";
  if (argc != 4 && !list) {
    std::cerr << "usage: libs3_read HOST:PORT BUCKET (KEY | --list PREFIX)\n";
    return wrong_usage;
  }
  const char* access_key = std::getenv("AWS_ACCESS_KEY_ID");
  const char* secret_key = std::getenv("AWS_SECRET_ACCESS_KEY");
  if (access_key == nullptr || secret_key == nullptr) {
    std::cerr << "libs3_read: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set\n";
    return wrong_usage;
  }
  if (const S3Status status = S3_initialize("libs3_read", S3_INIT_ALL, argv[1]); status != S3StatusOK) {
    std::cerr << "libs3_read: " << S3_get_status_name(status) << '\n';
    return failed;
  }
  const S3BucketContext bucket{argv[1], argv[2], S3ProtocolHTTP, S3UriStylePath, access_key, secret_key};
  const int status = list ? list_objects(bucket, argv[4]) : read_object(bucket, argv[3]);
  S3_deinitialize();
  std::cout.flush();
  return std::cout ? status : failed;
}
