// SPDX-License-Identifier: MIT
#include "s3/sigv4.h"

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <utility>

using namespace hfpour;
using namespace hfpour::s3;

namespace {

constexpr WallTime at(int year, unsigned month, unsigned day, int second_of_day) {
  return std::chrono::sys_days(
             std::chrono::year_month_day(std::chrono::year(year), std::chrono::month(month), std::chrono::day(day))) +
         std::chrono::seconds(second_of_day);
}

/// The key pair of AWS's published examples.
Credentials aws_example() {
  return {"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Secret()};
}

/// The key pair with which botocore 1.43.11 made the signatures named so below.
Credentials botocore_example() {
  return {"AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), Secret()};
}

SigningInput botocore_input(std::string method, std::string path, Query query = {}) {
  return {
      std::move(method), "store.example",        std::move(path), std::move(query), {}, std::string(unsigned_payload),
      "eu-west-2",       at(2026, 11, 21, 37230)};
}

Signed sign(const SigningInput& input, const Credentials& credentials) {
  return Signer().sign(input, credentials);
}

std::string authorization(const Signed& request) {
  return request.headers.get("Authorization").value_or("");
}

std::string signature(const Signed& request) {
  const std::string text = authorization(request);
  const std::size_t start = text.find("Signature=");
  return start == std::string::npos ? "" : text.substr(start + 10);
}

}  // namespace

TEST_CASE("sigv4: the four published examples come out") {
  struct Example {
    std::string method, path;
    Query query;
    http::Headers headers;
    std::string payload, target, signature;
  };
  const Example examples[] = {
      {"GET",
       "/test.txt",
       {},
       {{"Range", "bytes=0-9"}},
       "",
       "/test.txt",
       "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
      {"PUT",
       "/test$file.text",
       {},
       {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
       "Welcome to Amazon S3.",
       "/test%24file.text",
       "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
      {"GET",
       "/",
       {{"lifecycle", ""}},
       {},
       "",
       "/?lifecycle=",
       "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
      {"GET",
       "/",
       {{"prefix", "J"}, {"max-keys", "2"}},
       {},
       "",
       "/?max-keys=2&prefix=J",
       "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
  };
  for (const Example& each : examples) {
    CAPTURE(each.target);
    const Signed request = sign({each.method, "examplebucket.s3.amazonaws.com", each.path, each.query, each.headers,
                                 sha256_hex(as_view(each.payload)), "us-east-1", at(2013, 5, 24, 0)},
                                aws_example());
    CHECK(request.target == each.target);
    CHECK(signature(request) == each.signature);
    CHECK(request.headers.get("x-amz-date") == "20130524T000000Z");
  }
}

TEST_CASE("sigv4: the whole Authorization field is as the stores read it") {
  const Signed request = sign(botocore_input("GET", "/bucket/k"), botocore_example());
  CHECK(
      authorization(request).starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-west-2/s3/aws4_request,"
                                         "SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature="));
  CHECK(request.headers.get("x-amz-date") == "20261121T102030Z");
  CHECK(request.headers.get("x-amz-content-sha256") == "UNSIGNED-PAYLOAD");
  CHECK(request.headers.get("Host") == botocore_input("GET", "/bucket/k").host);
}

TEST_CASE("sigv4: odd keys are encoded once and never normalised") {
  struct Row {
    std::string key, target, signature;
  };
  const Row rows[] = {
      {"a b+c=d%20", "/bucket/a%20b%2Bc%3Dd%2520", "2bfea709419c74689cd032d3ed551d662573a73c4dfccdef67d1976e64f6ca89"},
      {"~(x)!*'@:,&$;", "/bucket/~%28x%29%21%2A%27%40%3A%2C%26%24%3B",
       "b413b0a0b92ace3a417529e63edcc47c68b0ea287b02af49fd44a594750dc752"},
      {"é/日本.bin", "/bucket/%C3%A9/%E6%97%A5%E6%9C%AC.bin",
       "61843455639841334398f912a40db62d02128c94f0713dc5584f3c86def0dc77"},
      {"a//b", "/bucket/a//b", "7e36980932a5e1533080eaf842b63d2647268e571f8517e8d9ca32c9d43a802c"},
      {"a/./b/../c", "/bucket/a/./b/../c", "aea495fe575a2488e64b1c7b3d710f0fa48d167496b6a668e7bac7e8d68479ac"},
      {"q?x#y\"<>[]{}|\\^`", "/bucket/q%3Fx%23y%22%3C%3E%5B%5D%7B%7D%7C%5C%5E%60",
       "a9803ee4be7693bc29bc144703fc06d573e963dd9e3e848c1b8c285d80c3bb39"},
      {"%2B", "/bucket/%252B", "8152dea1dfa7428a2d46a7b11f808d28327d11e48c37b0a7c1fec0a308759802"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.key);
    SigningInput input = botocore_input("PUT", "/bucket/" + row.key);
    input.host = "store.example:7480";
    const Signed request = sign(input, botocore_example());
    CHECK(request.target == row.target);
    CHECK(signature(request) == row.signature);  // by botocore
  }
}

TEST_CASE("sigv4: the query is encoded and sorted by name, then value") {
  struct Row {
    std::string method, path;
    Query query;
    std::string target, signature;
  };
  const Row rows[] = {
      // As text, `a-b=` would come before `a=`; as names, `a` comes before `a-b`.
      {"GET",
       "/bucket",
       {{"a-b", "2"}, {"a", "1"}, {"a", "0"}},
       "/bucket?a=0&a=1&a-b=2",
       "1b701c66162c18aaffdd8ce15f5a957bfb88edca16eca8247bb910f584fc4447"},
      {"POST",
       "/bucket/k",
       {{"uploads", ""}},
       "/bucket/k?uploads=",
       "ac39160c31974b68560f78108b6ae7319f9a405c6095ae59ed587d46464b9fd4"},
      {"PUT",
       "/bucket/k",
       {{"uploadId", "2~a+b/c="}, {"partNumber", "7"}},
       "/bucket/k?partNumber=7&uploadId=2~a%2Bb%2Fc%3D",
       "9e015f1c17f4a56741774e9ccd2163a62af48557cb2f8a440b55b5d218d43089"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.target);
    const Signed request = sign(botocore_input(row.method, row.path, row.query), botocore_example());
    CHECK(request.target == row.target);
    CHECK(signature(request) == row.signature);  // by botocore
  }
}

TEST_CASE("sigv4: one signer signs for each day, region and secret as a fresh one does") {
  Credentials other = botocore_example();
  other.secret = Secret("another secret");
  SigningInput next_day = botocore_input("PUT", "/bucket/k");
  next_day.time += std::chrono::days(1);
  SigningInput elsewhere = botocore_input("PUT", "/bucket/k");
  elsewhere.region = "us-east-1";
  const SigningInput first = botocore_input("PUT", "/bucket/k");
  const std::pair<SigningInput, Credentials> steps[] = {
      // Each differs from the one before in nothing or one thing.
      {first, botocore_example()},
      {first, botocore_example()},
      {next_day, botocore_example()},
      {first, botocore_example()},
      {elsewhere, botocore_example()},
      {first, botocore_example()},
      {first, other},
  };
  Signer signer;
  std::set<std::string> different;
  for (const auto& [input, credentials] : steps) {
    const std::string made = signature(signer.sign(input, credentials));
    CHECK(made == signature(sign(input, credentials)));
    different.insert(made);
  }
  CHECK(different.size() == 4);
}

TEST_CASE("sigv4: a session token is sent and signed") {
  Credentials credentials = botocore_example();
  credentials.session_token = Secret("FwoGZXIvYXdzEJr//==+");
  const Signed request = sign(botocore_input("PUT", "/bucket/k"), credentials);
  CHECK(request.headers.get("x-amz-security-token") == "FwoGZXIvYXdzEJr//==+");
  CHECK(authorization(request).find("x-amz-date;x-amz-security-token,") != std::string::npos);
  CHECK(signature(request) == "b10a51a17b3b571aaf2bdb07508e1fb398059ed9ba5b83bc88b569237ff71923");
}

TEST_CASE("sigv4: given fields are signed by lower-case name with their blanks collapsed") {
  SigningInput input = botocore_input("PUT", "/bucket/k");
  input.headers = {{"X-Amz-Meta-Note", "  a   b "}, {"Content-Type", "application/xml"}};
  const Signed request = sign(input, botocore_example());
  CHECK(signature(request) == "665dbcbb78f982c6a58711b0115c55ebe6f165b845fa1babc9f3afd1ecb65591");
  CHECK(request.headers.get("x-amz-meta-note") == "  a   b ");
}

TEST_CASE("sigv4: repeated fields are signed as one list, in their order") {
  SigningInput input = botocore_input("PUT", "/bucket/k");
  input.headers = {{"x-amz-meta-a", "2"}, {"X-Amz-Meta-A", "1"}};
  const std::string repeated = signature(sign(input, botocore_example()));
  input.headers = {{"x-amz-meta-a", "2,1"}};
  CHECK(repeated == signature(sign(input, botocore_example())));
  input.headers = {{"x-amz-meta-a", "1,2"}};
  CHECK(repeated != signature(sign(input, botocore_example())));
}

TEST_CASE("sigv4: fields that proxies change are sent unsigned") {
  const std::string plain = signature(sign(botocore_input("PUT", "/bucket/k"), botocore_example()));
  for (const std::string name :
       {"User-Agent", "Accept", "accept-encoding", "Expect", "Connection", "Content-Length", "Transfer-Encoding"}) {
    CAPTURE(name);
    SigningInput input = botocore_input("PUT", "/bucket/k");
    input.headers.add(name, "anything");
    const Signed request = sign(input, botocore_example());
    CHECK(request.headers.get(name) == "anything");
    CHECK(signature(request) == plain);
  }
}

TEST_CASE("sigv4: fields that the signer makes cannot be given") {
  SigningInput input = botocore_input("PUT", "/bucket/k");
  input.headers = {{"Host", "evil"},
                   {"X-Amz-Date", "x"},
                   {"authorization", "x"},
                   {"X-Amz-Content-Sha256", "x"},
                   {"x-amz-security-token", "x"}};
  const Signed request = sign(input, botocore_example());
  CHECK(request.headers.fields().size() == 4);
  CHECK(request.headers.get("Host") == input.host);
  CHECK(signature(request) == signature(sign(botocore_input("PUT", "/bucket/k"), botocore_example())));
}

TEST_CASE("sigv4: an empty path is the root") {
  CHECK(encode_target("", {}) == "/");
  CHECK(encode_target("", {{"list-type", "2"}}) == "/?list-type=2");
}

TEST_CASE("sigv4: SHA-256 of known texts") {
  CHECK(sha256_hex({}) == empty_payload);
  CHECK(sha256_hex(as_view("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
