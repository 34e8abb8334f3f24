// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <ctime>
#include <map>
#include <optional>
#include <string>

#include "sink/request.h"

namespace sink {

/// What a discarding store remembers: of an object its size and an ETag, its bytes only where a program keeps its own
/// notes (keys with `/.hfpour/` in them). Every bucket exists. No signature is checked, and no metadata is kept.
///
/// ETags are 32 hex digits and `-1`, never an MD5: nobody here has seen the bytes. Stores that encrypt answer so too,
/// and clients that compare an ETag with their MD5 leave such ones alone.
class Store {
 public:
  /// Whether the body is to be handed to `answer`; else its bytes need not even be looked at.
  static bool wants_body(const Request& request);

  /// Carries out one request whose body has arrived. `body` is empty if it was not wanted.
  Answer answer(const Request& request, std::string body);

  /// Bytes of bodies that have arrived, wanted or not.
  void received(std::uint64_t bytes) { body_bytes_ += bytes; }

 private:
  struct Object {
    std::uint64_t size = 0;
    std::string etag;
    std::time_t modified = 0;
    std::optional<std::string> bytes;
  };
  struct Part {
    std::uint64_t size = 0;
    std::string etag;
  };
  struct Upload {
    std::string bucket;
    std::string key;
    std::time_t begun = 0;
    std::map<unsigned, Part> parts;
  };
  using Objects = std::map<std::string, Object>;

  Answer on_admin(const Request& request);
  Answer on_bucket(const Request& request, const std::string& body);
  Answer on_object(const Request& request, std::string body);
  Answer on_upload(const Request& request, const std::string& body);
  Answer put(const Request& request, std::string body);
  Answer get(const Request& request) const;
  Answer create_upload(const Request& request);
  Answer put_part(const Request& request, Upload& upload);
  Answer complete(const Request& request, const std::string& body, Upload& upload);
  Answer delete_many(const Request& request, const std::string& body);
  Answer list_objects(const Request& request) const;
  Answer list_uploads(const Request& request) const;
  static Answer list_parts(const Request& request, const Upload& upload);
  std::string new_etag();
  const Objects& objects_of(const std::string& bucket) const;

  std::map<std::string, Objects> buckets_;
  std::map<std::string, Upload> uploads_;
  std::uint64_t serial_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t body_bytes_ = 0;
};

/// A time as S3's documents write it.
std::string iso_time(std::time_t time);
/// A 200 with this document.
Answer xml_answer(std::string_view root, std::string_view content);

}  // namespace sink
