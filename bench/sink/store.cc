// SPDX-License-Identifier: MIT
#include "sink/store.h"

#include <fmt/core.h>

#include <charconv>

#include "sink/xml.h"

namespace sink {
namespace {

constexpr std::string_view notes = "/.hfpour/";
constexpr std::uint64_t longest_kept = std::uint64_t{64} << 20U;  ///< a manifest of 20,000 files has some MiB

bool is_note(const Request& request) {
  return request.key.find(notes) != std::string::npos || request.key.starts_with(notes.substr(1));
}

std::optional<unsigned> number(const std::string& text) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && last == end ? std::optional(value) : std::nullopt;
}

std::string etag_line(const std::string& etag) {
  return fmt::format("ETag: \"{}\"\r\n", etag);
}

Answer no_content() {
  Answer answer;
  answer.status = 204;
  return answer;
}

Answer not_implemented() {
  return error_answer(501, "NotImplemented", "the sink does not do this");
}

Answer no_such_key() {
  return error_answer(404, "NoSuchKey", "there is no such object");
}

}  // namespace

bool Store::wants_body(const Request& request) {
  if (request.method == "POST") return request.length <= longest_kept;
  return request.method == "PUT" && !request.has("partNumber") && is_note(request) && request.length <= longest_kept;
}

Answer Store::answer(const Request& request, std::string body) {
  if (request.bucket == "_sink") return on_admin(request);
  ++requests_;
  if (request.bucket.empty()) return xml_answer("ListAllMyBucketsResult", "<Buckets></Buckets>");
  if (request.key.empty()) return on_bucket(request, body);
  if (request.has("uploads") || request.has("uploadId")) return on_upload(request, body);
  return on_object(request, std::move(body));
}

Answer Store::on_admin(const Request& request) {
  if (request.key == "reset") *this = Store();
  std::size_t objects = 0;
  for (const auto& [name, content] : buckets_) objects += content.size();
  Answer answer;
  answer.headers = "Content-Type: application/json\r\n";
  answer.body = fmt::format("{{\"requests\": {}, \"body_bytes\": {}, \"objects\": {}, \"uploads\": {}}}\n", requests_,
                            body_bytes_, objects, uploads_.size());
  return answer;
}

Answer Store::on_bucket(const Request& request, const std::string& body) {
  if (request.method == "POST" && request.has("delete")) return delete_many(request, body);
  if (request.method == "HEAD" || request.method == "PUT") return Answer();
  if (request.method != "GET") return not_implemented();
  if (request.has("location")) return xml_answer("LocationConstraint", "");
  if (request.has("uploads")) return list_uploads(request);
  for (const char* other : {"acl", "versioning", "versions", "policy", "lifecycle", "cors", "tagging", "object-lock"}) {
    if (request.has(other)) return not_implemented();
  }
  return list_objects(request);
}

Answer Store::on_object(const Request& request, std::string body) {
  if (!request.header("x-amz-copy-source").empty()) return not_implemented();
  if (request.method == "PUT") return put(request, std::move(body));
  if (request.method == "GET" || request.method == "HEAD") return get(request);
  if (request.method != "DELETE") return not_implemented();
  buckets_[request.bucket].erase(request.key);
  return no_content();
}

Answer Store::put(const Request& request, std::string body) {
  Objects& objects = buckets_[request.bucket];
  if (request.header("if-none-match") == "*" && objects.contains(request.key))
    return error_answer(412, "PreconditionFailed", "the object is there already");
  Object object;
  object.size = request.length;
  object.etag = new_etag();
  object.modified = std::time(nullptr);
  if (wants_body(request)) object.bytes = std::move(body);
  Answer answer;
  answer.headers = etag_line(object.etag);
  objects[request.key] = std::move(object);
  return answer;
}

Answer Store::get(const Request& request) const {
  const Objects& objects = objects_of(request.bucket);
  const auto found = objects.find(request.key);
  if (found == objects.end()) return no_such_key();
  const Object& object = found->second;
  if (request.method == "GET" && !object.bytes)
    return error_answer(403, "InvalidObjectState", "its bytes have been thrown away");
  char modified[64];
  std::tm parts{};
  gmtime_r(&object.modified, &parts);
  std::strftime(modified, sizeof modified, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  Answer answer;
  answer.headers =
      etag_line(object.etag) + "Content-Type: application/octet-stream\r\nLast-Modified: " + modified + "\r\n";
  answer.head_length = object.size;
  if (request.method == "GET") answer.body = *object.bytes;
  return answer;
}

Answer Store::on_upload(const Request& request, const std::string& body) {
  if (request.method == "POST" && request.has("uploads")) return create_upload(request);
  const auto found = uploads_.find(request.parameter("uploadId"));
  if (found == uploads_.end() || found->second.bucket != request.bucket || found->second.key != request.key)
    return error_answer(404, "NoSuchUpload", "there is no such upload");
  if (request.method == "PUT") return put_part(request, found->second);
  if (request.method == "GET") return list_parts(request, found->second);
  if (request.method == "POST") return complete(request, body, found->second);
  if (request.method != "DELETE") return not_implemented();
  uploads_.erase(found);
  return no_content();
}

Answer Store::create_upload(const Request& request) {
  const std::string id = fmt::format("upload-{:016x}", ++serial_);
  uploads_[id] = Upload{request.bucket, request.key, std::time(nullptr), {}};
  return xml_answer("InitiateMultipartUploadResult",
                    element("Bucket", request.bucket) + element("Key", request.key) + element("UploadId", id));
}

Answer Store::put_part(const Request& request, Upload& upload) {
  if (!request.header("x-amz-copy-source").empty()) return not_implemented();
  const std::optional<unsigned> part = number(request.parameter("partNumber"));
  if (!part || *part < 1 || *part > 10'000) return error_answer(400, "InvalidArgument", "not the number of a part");
  upload.parts[*part] = Part{request.length, new_etag()};
  Answer answer;
  answer.headers = etag_line(upload.parts[*part].etag);
  return answer;
}

Answer Store::complete(const Request& request, const std::string& body, Upload& upload) {
  const std::vector<std::string> named = texts_of(body, "PartNumber");
  if (named.empty()) return error_answer(400, "MalformedXML", "no part is named");
  Object object;
  for (const std::string& text : named) {
    const auto part = upload.parts.find(number(text).value_or(0));
    if (part == upload.parts.end()) return error_answer(400, "InvalidPart", "a part is not there");
    object.size += part->second.size;
  }
  Objects& objects = buckets_[request.bucket];
  if (request.header("if-none-match") == "*" && objects.contains(request.key))
    return error_answer(412, "PreconditionFailed", "the object is there already");
  object.etag = new_etag();
  object.modified = std::time(nullptr);
  const std::string etag = object.etag;
  objects[request.key] = std::move(object);
  uploads_.erase(request.parameter("uploadId"));
  return xml_answer("CompleteMultipartUploadResult", element("Bucket", request.bucket) + element("Key", request.key) +
                                                         element("ETag", "\"" + etag + "\""));
}

Answer Store::delete_many(const Request& request, const std::string& body) {
  Objects& objects = buckets_[request.bucket];
  std::string deleted;
  for (const std::string& key : texts_of(body, "Key")) {
    objects.erase(key);
    deleted += "<Deleted>" + element("Key", key) + "</Deleted>";
  }
  return xml_answer("DeleteResult", deleted);
}

std::string Store::new_etag() {
  // Spread over all digits, so that nothing takes it for a number.
  const std::uint64_t mixed = ++serial_ * 0x9E3779B97F4A7C15ULL;
  return fmt::format("{:016x}{:016x}-1", mixed, serial_);
}

const Store::Objects& Store::objects_of(const std::string& bucket) const {
  static const Objects none;
  const auto found = buckets_.find(bucket);
  return found == buckets_.end() ? none : found->second;
}

Answer xml_answer(std::string_view root, std::string_view content) {
  Answer answer;
  answer.headers = "Content-Type: application/xml\r\n";
  answer.body = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</{}>", root,
      content, root);
  return answer;
}

}  // namespace sink
