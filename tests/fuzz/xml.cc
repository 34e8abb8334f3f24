// SPDX-License-Identifier: MIT
// The store's documents.
#include "s3/xml.h"

#include <pugixml.hpp>

#include "base/text.h"
#include "harness.h"

namespace hfpour::fuzz {
namespace {

void take_parts(std::string_view input) {
  const Result<s3::PartPage> page = s3::parse_parts(input);
  if (!page) return require_fit_for_a_log(page.error());
  require(!page->is_truncated || !page->next_marker.empty(), "a page that is cut says where to go on");
  std::vector<s3::CompletedPart> parts;
  for (const s3::ListedPart& part : page->parts) parts.push_back(s3::CompletedPart{part.number, part.etag});
  const std::string body = s3::complete_body(parts);
  pugi::xml_document document;
  require(static_cast<bool>(document.load_buffer(body.data(), body.size(), pugi::parse_default & ~pugi::parse_eol)),
          "the body of Complete is XML");
  std::size_t at = 0;
  for (const pugi::xml_node& node : document.child("CompleteMultipartUpload")) {
    require(at < parts.size() && node.child("PartNumber").text().as_uint() == parts[at].number,
            "parts keep their numbers");
    require(node.child("ETag").text().get() == parts[at].etag, "parts keep their tags");
    ++at;
  }
  require(at == parts.size(), "no part is lost");
}

void take_lists(std::string_view input) {
  const Result<s3::ObjectPage> objects = s3::parse_objects(input);
  if (!objects) require_fit_for_a_log(objects.error());
  if (objects) {
    require(!objects->is_truncated || !objects->next_token.empty(), "a page that is cut says where to go on");
    for (const s3::ListedObject& object : objects->objects) require(!object.key.empty(), "an object has a key");
  }
  const Result<s3::UploadPage> uploads = s3::parse_uploads(input);
  if (!uploads) return require_fit_for_a_log(uploads.error());
  require(!uploads->is_truncated || !uploads->next_key_marker.empty(), "a page that is cut says where to go on");
  for (const s3::ListedUpload& upload : uploads->uploads) {
    require(!upload.key.empty() && !upload.upload_id.empty(), "an upload has a key and an id");
  }
}

}  // namespace

void take(std::string_view input) {
  const Result<std::string> created = s3::parse_create(input);
  if (!created) require_fit_for_a_log(created.error());
  if (created) require(!created->empty(), "an upload has an id");
  const auto completed = s3::parse_complete(input);
  if (!completed) require_fit_for_a_log(completed.error());
  const bool failed = completed && std::holds_alternative<s3::ErrorDocument>(*completed);
  require(failed == s3::parse_error(input).has_value(), "an Error is one to everybody");
  take_lists(input);
  take_parts(input);
}

}  // namespace hfpour::fuzz
