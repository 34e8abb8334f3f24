// SPDX-License-Identifier: MIT
// The lists of a `Store`.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "sink/store.h"
#include "sink/xml.h"

namespace sink {
namespace {

constexpr std::string_view truncated = "IsTruncated";

std::string_view yes_or_no(bool value) {
  return value ? "true" : "false";
}

/// How many entries a page may have: what was asked for, at most 1000.
std::size_t page_size(const Request& request, const char* name) {
  const unsigned long wished = std::strtoul(request.parameter(name, "1000").c_str(), nullptr, 10);
  return std::clamp<std::size_t>(wished, 1, 1000);
}

/// The common prefix that stands for `key`, or nothing if it is listed itself.
std::string folder_of(const std::string& key, const std::string& prefix, const std::string& delimiter) {
  if (delimiter.empty()) return "";
  const std::size_t end = key.find(delimiter, prefix.size());
  return end == std::string::npos ? "" : key.substr(0, end + delimiter.size());
}

}  // namespace

std::string iso_time(std::time_t time) {
  char text[32];
  std::tm parts{};
  gmtime_r(&time, &parts);
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &parts));
}

Answer Store::list_objects(const Request& request) const {
  const bool second = request.parameter("list-type") == "2";
  const std::string prefix = request.parameter("prefix"), delimiter = request.parameter("delimiter");
  // Both versions go on behind a name, which the second one hides in a token.
  const std::string after =
      second ? request.parameter("continuation-token", request.parameter("start-after")) : request.parameter("marker");
  const bool encoded = request.parameter("encoding-type") == "url";
  const auto written = [encoded](const std::string& name) { return encoded ? url_encode(name) : name; };
  const std::size_t most = page_size(request, "max-keys");
  const Objects& objects = objects_of(request.bucket);

  std::string contents, folders, last, folder;
  std::size_t count = 0;
  bool more = false;
  for (auto at = objects.lower_bound(std::max(prefix, after)); at != objects.end(); ++at) {
    const auto& [key, object] = *at;
    if (!key.starts_with(prefix)) break;
    if (key <= after) continue;
    const std::string above = folder_of(key, prefix, delimiter);
    if (!above.empty() && (above == folder || above == after)) continue;
    if (count == most) {
      more = true;
      break;
    }
    ++count;
    last = above.empty() ? key : above;
    folder = above;
    if (!above.empty()) {
      folders += "<CommonPrefixes>" + element("Prefix", written(above)) + "</CommonPrefixes>";
      continue;
    }
    contents += "<Contents>" + element("Key", written(key)) + element("LastModified", iso_time(object.modified)) +
                element("ETag", "\"" + object.etag + "\"") + element("Size", std::to_string(object.size)) +
                "<StorageClass>STANDARD</StorageClass></Contents>";
  }
  std::string head = element("Name", request.bucket) + element("Prefix", written(prefix)) +
                     element("MaxKeys", std::to_string(most)) + element(truncated, yes_or_no(more));
  if (encoded) head += element("EncodingType", "url");
  if (!delimiter.empty()) head += element("Delimiter", delimiter);
  if (second) head += element("KeyCount", std::to_string(count));
  if (more) head += element(second ? "NextContinuationToken" : "NextMarker", second ? last : written(last));
  return xml_answer("ListBucketResult", head + contents + folders);
}

Answer Store::list_uploads(const Request& request) const {
  const std::string prefix = request.parameter("prefix");
  const bool encoded = request.parameter("encoding-type") == "url";
  std::string listed;
  for (const auto& [id, upload] : uploads_) {
    if (upload.bucket != request.bucket || !upload.key.starts_with(prefix)) continue;
    listed += "<Upload>" + element("Key", encoded ? url_encode(upload.key) : upload.key) + element("UploadId", id) +
              element("Initiated", iso_time(upload.begun)) + "</Upload>";
  }
  if (encoded) listed += element("EncodingType", "url");
  return xml_answer("ListMultipartUploadsResult", element("Bucket", request.bucket) + element("Prefix", prefix) +
                                                      element(truncated, "false") + listed);
}

Answer Store::list_parts(const Request& request, const Upload& upload) {
  const unsigned long after = std::strtoul(request.parameter("part-number-marker", "0").c_str(), nullptr, 10);
  const std::size_t most = page_size(request, "max-parts");
  std::string listed, last;
  std::size_t count = 0;
  bool more = false;
  for (const auto& [number, part] : upload.parts) {
    if (number <= after) continue;
    if (count == most) {
      more = true;
      break;
    }
    ++count;
    last = std::to_string(number);
    listed += "<Part>" + element("PartNumber", last) + element("ETag", "\"" + part.etag + "\"") +
              element("Size", std::to_string(part.size)) + element("LastModified", iso_time(upload.begun)) + "</Part>";
  }
  std::string head = element("Bucket", upload.bucket) + element("Key", upload.key) +
                     element("UploadId", request.parameter("uploadId")) + element(truncated, yes_or_no(more));
  if (more) head += element("NextPartNumberMarker", last);
  return xml_answer("ListPartsResult", head + listed);
}

}  // namespace sink
