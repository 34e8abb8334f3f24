// SPDX-License-Identifier: MIT
#include "s3/xml.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <pugixml.hpp>

#include "base/iso_time.h"
#include "base/text.h"

namespace hfpour::s3 {
namespace {

Error broken(std::string_view root, std::string_view what) {
  return Error(Kind::protocol, fmt::format("{} from the store: {}", root, what));
}

/// An element's name without a name space prefix.
std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

/// All character data directly in an element, however comments and CDATA cut it.
std::string text_of(const pugi::xml_node& node) {
  std::string text;
  for (const pugi::xml_node& piece : node) {
    const pugi::xml_node_type type = piece.type();
    if (type == pugi::node_pcdata || type == pugi::node_cdata) text += piece.value();
  }
  return text;
}

pugi::xml_node child(const pugi::xml_node& parent, std::string_view name) {
  for (const pugi::xml_node& node : parent) {
    if (node.type() == pugi::node_element && local_name(node) == name) return node;
  }
  return {};
}

std::string child_text(const pugi::xml_node& parent, std::string_view name) {
  return text_of(child(parent, name));
}

std::optional<Bytes> child_number(const pugi::xml_node& parent, std::string_view name) {
  return parse_decimal(trim(child_text(parent, name)));
}

std::optional<bool> child_flag(const pugi::xml_node& parent, std::string_view name) {
  const std::string word = to_lower(trim(child_text(parent, name)));
  if (word == "true") return true;
  if (word == "false") return false;
  return std::nullopt;
}

/// Walks without recursion and stops at the first node that lies too deep.
class DepthCheck final : public pugi::xml_tree_walker {
 public:
  bool for_each(pugi::xml_node&) override { return depth() < max_depth; }
};

/// Fills `document` and gives its root element; nothing if the text is no acceptable document.
pugi::xml_node load(pugi::xml_document& document, std::string_view body) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (body.size() > max_document) return {};
  body = trim(body);
  if (body.starts_with(byte_order_mark)) body = trim(body.substr(byte_order_mark.size()));
  // A key may be a single blank, which pugixml would drop without the second flag.
  constexpr unsigned flags = pugi::parse_default | pugi::parse_ws_pcdata_single;
  if (!document.load_buffer(body.data(), body.size(), flags, pugi::encoding_utf8)) return {};
  DepthCheck depth;
  return document.traverse(depth) ? document.document_element() : pugi::xml_node();
}

/// `node` if it is the wanted root, else what is wrong with the answer.
Result<pugi::xml_node> require(const pugi::xml_node& node, std::string_view body, std::string_view root) {
  if (node && local_name(node) == root) return node;
  if (!node) {
    return broken(root, trim(body).empty() ? "the answer is empty" : "the answer is not an XML document of that kind");
  }
  Error error = broken(root, fmt::format("the answer is a `{}`", printable(local_name(node), 60)));
  if (local_name(node) == "Error") error.code = printable(child_text(node, "Code"), 60);
  return error;
}

Result<pugi::xml_node> load_as(pugi::xml_document& document, std::string_view body, std::string_view root) {
  return require(load(document, body), body, root);
}

ErrorDocument error_in(const pugi::xml_node& root) {
  return ErrorDocument{child_text(root, "Code"),   child_text(root, "Message"),  child_text(root, "RequestId"),
                       child_text(root, "Region"), child_text(root, "Endpoint"), child_text(root, "Header")};
}

/// Keys of one list: percent-encoded, with `+` for a space, if the store says that it did so.
class KeyDecoder {
 public:
  explicit KeyDecoder(const pugi::xml_node& root)
      : encoded_(to_lower(trim(child_text(root, "EncodingType"))) == "url") {}

  std::string operator()(std::string text) const {
    if (!encoded_) return text;
    std::replace(text.begin(), text.end(), '+', ' ');
    return percent_decode(text);
  }

 private:
  bool encoded_;
};

}  // namespace

std::optional<ErrorDocument> parse_error(std::string_view body) {
  pugi::xml_document document;
  const pugi::xml_node root = load(document, body);
  if (!root || local_name(root) != "Error") return std::nullopt;
  return error_in(root);
}

Result<std::string> parse_create(std::string_view body) {
  constexpr std::string_view name = "InitiateMultipartUploadResult";
  pugi::xml_document document;
  const Result<pugi::xml_node> root = load_as(document, body, name);
  if (!root) return root.error();
  std::string upload_id(trim(child_text(*root, "UploadId")));
  if (upload_id.empty()) return broken(name, "there is no UploadId");
  return upload_id;
}

Result<std::variant<Completed, ErrorDocument>> parse_complete(std::string_view body) {
  using Answer = std::variant<Completed, ErrorDocument>;
  pugi::xml_document document;
  const pugi::xml_node root = load(document, body);
  if (root && local_name(root) == "Error") return Answer(error_in(root));
  const Result<pugi::xml_node> result = require(root, body, "CompleteMultipartUploadResult");
  if (!result) return result.error();
  return Answer(Completed{std::string(trim(child_text(*result, "ETag")))});
}

Result<ObjectPage> parse_objects(std::string_view body) {
  constexpr std::string_view name = "ListBucketResult";
  pugi::xml_document document;
  const Result<pugi::xml_node> root = load_as(document, body, name);
  if (!root) return root.error();
  const KeyDecoder decode(*root);
  const std::optional<bool> truncated = child_flag(*root, "IsTruncated");
  if (!truncated) return broken(name, "IsTruncated is missing");
  ObjectPage page{{}, *truncated, child_text(*root, "NextContinuationToken")};
  if (page.is_truncated && page.next_token.empty()) {
    return broken(name, "truncated, but without NextContinuationToken");
  }
  for (const pugi::xml_node& node : *root) {
    if (local_name(node) != "Contents") continue;
    const std::optional<Bytes> size = child_number(node, "Size");
    std::string key = decode(child_text(node, "Key"));
    if (!size || key.empty()) return broken(name, "an entry without Key or Size");
    page.objects.push_back(ListedObject{std::move(key), *size, normalise_etag(child_text(node, "ETag"))});
  }
  return page;
}

Result<PartPage> parse_parts(std::string_view body) {
  constexpr std::string_view name = "ListPartsResult";
  pugi::xml_document document;
  const Result<pugi::xml_node> root = load_as(document, body, name);
  if (!root) return root.error();
  const std::optional<bool> truncated = child_flag(*root, "IsTruncated");
  if (!truncated) return broken(name, "IsTruncated is missing");
  PartPage page{{}, *truncated, std::string(trim(child_text(*root, "NextPartNumberMarker")))};
  if (page.is_truncated && page.next_marker.empty()) {
    return broken(name, "truncated, but without NextPartNumberMarker");
  }
  for (const pugi::xml_node& node : *root) {
    if (local_name(node) != "Part") continue;
    const std::optional<Bytes> number = child_number(node, "PartNumber");
    const std::optional<Bytes> size = child_number(node, "Size");
    std::string etag(trim(child_text(node, "ETag")));
    if (!number || *number > std::numeric_limits<unsigned>::max() || !size || etag.empty()) {
      return broken(name, "a part without PartNumber, Size or ETag");
    }
    page.parts.push_back(ListedPart{static_cast<unsigned>(*number), *size, std::move(etag),
                                    parse_iso_time(child_text(node, "LastModified"))});
  }
  return page;
}

Result<UploadPage> parse_uploads(std::string_view body) {
  constexpr std::string_view name = "ListMultipartUploadsResult";
  pugi::xml_document document;
  const Result<pugi::xml_node> root = load_as(document, body, name);
  if (!root) return root.error();
  const KeyDecoder decode(*root);
  const std::optional<bool> truncated = child_flag(*root, "IsTruncated");
  if (!truncated) return broken(name, "IsTruncated is missing");
  UploadPage page{{}, *truncated, decode(child_text(*root, "NextKeyMarker")), child_text(*root, "NextUploadIdMarker")};
  if (page.is_truncated && page.next_key_marker.empty()) {
    return broken(name, "truncated, but without NextKeyMarker");
  }
  for (const pugi::xml_node& node : *root) {
    if (local_name(node) != "Upload") continue;
    ListedUpload upload{decode(child_text(node, "Key")), std::string(trim(child_text(node, "UploadId"))),
                        parse_iso_time(child_text(node, "Initiated"))};
    if (upload.key.empty() || upload.upload_id.empty()) {
      return broken(name, "an entry without Key or UploadId");
    }
    page.uploads.push_back(std::move(upload));
  }
  return page;
}

std::string complete_body(std::span<const CompletedPart> parts) {
  std::string body = "<CompleteMultipartUpload>";
  for (const CompletedPart& part : parts) {
    body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>", part.number);
    for (const char c : part.etag) {
      switch (c) {
        case '&': body += "&amp;"; break;
        case '<': body += "&lt;"; break;
        case '>': body += "&gt;"; break;
        default: body += c;
      }
    }
    body += "</ETag></Part>";
  }
  return body + "</CompleteMultipartUpload>";
}

std::string normalise_etag(std::string_view etag) {
  constexpr std::string_view entity = "&quot;";
  etag = trim(etag);
  if (etag.starts_with("W/") || etag.starts_with("w/")) etag.remove_prefix(2);
  for (const std::string_view quote : {entity, std::string_view("\"")}) {
    if (etag.starts_with(quote)) etag.remove_prefix(quote.size());
    if (etag.ends_with(quote)) etag.remove_suffix(quote.size());
  }
  const bool hex = etag.find_first_not_of("0123456789abcdefABCDEF-") == std::string_view::npos;
  return hex ? to_lower(etag) : std::string(etag);
}

}  // namespace hfpour::s3
