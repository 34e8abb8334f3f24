// SPDX-License-Identifier: MIT
#include "s3/xml.h"

#include <doctest/doctest.h>

#include <chrono>

using namespace hfpour;
using namespace hfpour::s3;

namespace {

constexpr std::string_view declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

std::string list(std::string_view inside) {
  return std::string(declaration) + "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" +
         std::string(inside) + "</ListBucketResult>";
}

std::string object(std::string_view key) {
  return "<Contents><Key>" + std::string(key) + "</Key><Size>3</Size><ETag>&quot;AB01&quot;</ETag></Contents>";
}

/// One decoded key of a page with this EncodingType element.
std::string listed_key(std::string_view key, std::string_view encoding) {
  const auto page = parse_objects(list(std::string(encoding) + "<IsTruncated>false</IsTruncated>" + object(key)));
  REQUIRE(page.has_value());
  REQUIRE(page->objects.size() == 1);
  return page->objects[0].key;
}

template <class T>
void check_protocol(const Result<T>& result) {
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().kind == Kind::protocol);
  CHECK_FALSE(result.error().sentence.empty());
}

}  // namespace

TEST_CASE("xml: the UploadId of Create") {
  const auto id = parse_create(
      "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
      "<UploadId>2~a+b/c=&amp;</UploadId></InitiateMultipartUploadResult>");
  REQUIRE(id.has_value());
  CHECK(*id == "2~a+b/c=&");
}

TEST_CASE("xml: name spaces, comments, CDATA, blanks and a byte order mark do not matter") {
  const std::string root =
      "<InitiateMultipartUploadResult><UploadId>u1</UploadId>"
      "</InitiateMultipartUploadResult>";
  const std::string declared(declaration);
  for (const std::string& body :
       {root, declared + root, "\n \r\n" + declared + root, declared + "\n    \n" + root + "\n",
        "\xEF\xBB\xBF" + declared + root, " \xEF\xBB\xBF " + declared + root,
        std::string("<s:InitiateMultipartUploadResult xmlns:s=\"x\"><s:UploadId>u1</s:UploadId>"
                    "</s:InitiateMultipartUploadResult>"),
        std::string("<!-- c --><InitiateMultipartUploadResult><UploadId>u<!-- c --><![CDATA[1]]>"
                    "</UploadId></InitiateMultipartUploadResult>")}) {
    CAPTURE(body);
    const auto id = parse_create(body);
    REQUIRE(id.has_value());
    CHECK(*id == "u1");
  }
}

TEST_CASE("xml: an answer to Create without an UploadId is refused") {
  for (const std::string body :
       {"", "   ", "<InitiateMultipartUploadResult/>",
        "<InitiateMultipartUploadResult><UploadId> </UploadId></InitiateMultipartUploadResult>",
        "<InitiateMultipartUploadResult><UploadId>u</UploadId>", "<html><body>hi</body></html>", "not xml", "<a",
        "<InitiateMultipartUploadResult><UploadId>u</X>"}) {
    CAPTURE(body);
    check_protocol(parse_create(body));
  }
}

TEST_CASE("xml: an Error where a result was due keeps its code") {
  const auto page = parse_objects("<Error><Code>SlowDown</Code></Error>");
  check_protocol(page);
  CHECK(page.error().code == "SlowDown");
}

TEST_CASE("xml: the root of Complete decides") {
  struct Row {
    std::string body, etag;
  };
  const Row rows[] = {
      {"<CompleteMultipartUploadResult><ETag>&quot;ab-2&quot;</ETag>"
       "</CompleteMultipartUploadResult>",
       "\"ab-2\""},
      {"<CompleteMultipartUploadResult><ETag>ab-2</ETag></CompleteMultipartUploadResult>", "ab-2"},
      {"<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>", ""},
      {"<CompleteMultipartUploadResult/>", ""},
      {"  \n" + std::string(declaration) +
           "   \n  <CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>",
       "x"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    const auto answer = parse_complete(row.body);
    REQUIRE(answer.has_value());
    const Completed* const done = std::get_if<Completed>(&*answer);
    REQUIRE(done != nullptr);
    CHECK(done->etag == row.etag);
  }
}

TEST_CASE("xml: an Error in the answer to Complete is an error, with or without a code") {
  for (const std::string code : {"<Code>InternalError</Code>", ""}) {
    const auto answer =
        parse_complete("   " + std::string(declaration) + "  <Error>" + code + "<Message>m</Message></Error>");
    REQUIRE(answer.has_value());
    const ErrorDocument* const error = std::get_if<ErrorDocument>(&*answer);
    REQUIRE(error != nullptr);
    CHECK(error->code == (code.empty() ? "" : "InternalError"));
    CHECK(error->message == "m");
  }
}

TEST_CASE("xml: an answer to Complete that is neither is doubt") {
  for (const std::string body : {"", " \n ", "<CompleteMultipartUploadResult><ETag>", "<?xml version=\"1.0\"?>   ",
                                 "<html></html>", "<ListBucketResult/>"}) {
    CAPTURE(body);
    check_protocol(parse_complete(body));
  }
}

TEST_CASE("xml: a page of objects") {
  const auto page =
      parse_objects(list("<Name>b</Name><IsTruncated>true</IsTruncated><KeyCount>2</KeyCount>"
                         "<NextContinuationToken>l/ü 1+&amp;%2B</NextContinuationToken>" +
                         object("a/b") +
                         "<Contents><Key>c</Key><LastModified>x</LastModified><Size>5497558138880</Size>"
                         "<StorageClass>S</StorageClass></Contents>"
                         "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>"));
  REQUIRE(page.has_value());
  CHECK(page->is_truncated);
  CHECK(page->next_token == "l/ü 1+&%2B");
  REQUIRE(page->objects.size() == 2);
  CHECK(page->objects[0].key == "a/b");
  CHECK(page->objects[0].size == 3);
  CHECK(page->objects[0].etag == "ab01");
  CHECK(page->objects[1].size == 5497558138880ULL);
  CHECK(page->objects[1].etag.empty());
}

TEST_CASE("xml: keys are percent-decoded only if the store says that it encoded them") {
  const std::string_view url = "<EncodingType>url</EncodingType>";
  struct Row {
    std::string key;
    std::string_view encoding;
    std::string decoded;
  };
  const Row rows[] = {
      {"a%20b%2Bc", url, "a b+c"},
      {"a+b", url, "a b"},
      {"%C3%BC/%25", url, "ü/%"},
      {"a%0Ab", url, "a\nb"},
      {"a%20b+c", "", "a%20b+c"},
      {"ü &lt;&amp;&gt;&#10;", "", "ü <&>\n"},
      {" ", "", " "},
      {" a ", "", " a "},
      {"&#xfc;&apos;&quot;", "", "ü'\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.key);
    CHECK(listed_key(row.key, row.encoding) == row.decoded);
  }
}

TEST_CASE("xml: the empty page") {
  const auto page = parse_objects(list("<IsTruncated>false</IsTruncated>"));
  REQUIRE(page.has_value());
  CHECK(page->objects.empty());
  CHECK_FALSE(page->is_truncated);
}

TEST_CASE("xml: an incomplete page of objects is refused") {
  const std::string last = "<IsTruncated>false</IsTruncated>";
  for (const std::string& inside :
       {std::string(), std::string("<IsTruncated>maybe</IsTruncated>"), std::string("<IsTruncated>true</IsTruncated>"),
        last + "<Contents><Size>1</Size></Contents>", last + "<Contents><Key>a</Key></Contents>",
        last + "<Contents><Key>a</Key><Size>-1</Size></Contents>",
        last + "<Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>",
        last + "<Contents><Key/><Size>1</Size></Contents>"}) {
    CAPTURE(inside);
    check_protocol(parse_objects(list(inside)));
  }
}

TEST_CASE("xml: a page of parts keeps the ETags as written") {
  const auto page = parse_parts(
      "<ListPartsResult><IsTruncated>true</IsTruncated>"
      "<NextPartNumberMarker>1000</NextPartNumberMarker>"
      "<Part><PartNumber>1</PartNumber><ETag>&quot;AB&quot;</ETag><Size>5242880</Size></Part>"
      "<Part><PartNumber>1000</PartNumber><ETag>cd</ETag><Size>0</Size></Part>"
      "</ListPartsResult>");
  REQUIRE(page.has_value());
  CHECK(page->is_truncated);
  CHECK(page->next_marker == "1000");
  REQUIRE(page->parts.size() == 2);
  CHECK(page->parts[0].number == 1);
  CHECK(page->parts[0].size == 5242880);
  CHECK(page->parts[0].etag == "\"AB\"");
  CHECK(page->parts[1].number == 1000);
}

TEST_CASE("xml: an incomplete page of parts is refused") {
  for (const std::string inside :
       {"", "<IsTruncated>true</IsTruncated>",
        "<IsTruncated>false</IsTruncated><Part><ETag>a</ETag><Size>1</Size></Part>",
        "<IsTruncated>false</IsTruncated><Part><PartNumber>4294967296</PartNumber><ETag>a</ETag>"
        "<Size>1</Size></Part>",
        "<IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>1</Size></Part>",
        "<IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>"}) {
    CAPTURE(inside);
    check_protocol(parse_parts("<ListPartsResult>" + inside + "</ListPartsResult>"));
  }
}

TEST_CASE("xml: a page of uploads") {
  const auto page = parse_uploads(
      "<ListMultipartUploadsResult><EncodingType>url</EncodingType>"
      "<NextKeyMarker>a%20b</NextKeyMarker><NextUploadIdMarker>2~x</NextUploadIdMarker>"
      "<IsTruncated>true</IsTruncated>"
      "<Upload><Key>a%20b</Key><UploadId>2~x</UploadId>"
      "<Initiated>2026-11-21T10:20:30.500Z</Initiated></Upload>"
      "<Upload><Key>c</Key><UploadId>2~y</UploadId></Upload></ListMultipartUploadsResult>");
  REQUIRE(page.has_value());
  CHECK(page->next_key_marker == "a b");
  CHECK(page->next_upload_id_marker == "2~x");
  REQUIRE(page->uploads.size() == 2);
  CHECK(page->uploads[0].key == "a b");
  CHECK(page->uploads[0].upload_id == "2~x");
  CHECK(page->uploads[0].initiated.has_value());
  CHECK_FALSE(page->uploads[1].initiated.has_value());
}

TEST_CASE("xml: an incomplete page of uploads is refused") {
  for (const std::string inside :
       {"", "<IsTruncated>true</IsTruncated>", "<IsTruncated>false</IsTruncated><Upload><Key>a</Key></Upload>",
        "<IsTruncated>false</IsTruncated><Upload><UploadId>a</UploadId></Upload>"}) {
    CAPTURE(inside);
    check_protocol(parse_uploads("<ListMultipartUploadsResult>" + inside + "</ListMultipartUploadsResult>"));
  }
}

TEST_CASE("xml: an Error document gives what it has") {
  const auto error =
      parse_error(std::string(declaration) +
                  "<Error><Code>PermanentRedirect</Code><Message>a &lt;b&gt;</Message>"
                  "<RequestId>tx01</RequestId><Region>eu-west-2</Region>"
                  "<Endpoint>b.s3.eu-west-2.amazonaws.com</Endpoint><Header>If-None-Match</Header></Error>");
  REQUIRE(error.has_value());
  CHECK(error->code == "PermanentRedirect");
  CHECK(error->message == "a <b>");
  CHECK(error->request_id == "tx01");
  CHECK(error->region == "eu-west-2");
  CHECK(error->endpoint == "b.s3.eu-west-2.amazonaws.com");
  CHECK(error->header == "If-None-Match");
  const auto bare = parse_error("<Error><Code>NoSuchKey</Code><Message/></Error>");
  REQUIRE(bare.has_value());
  CHECK(bare->message.empty());
}

TEST_CASE("xml: what is not an Error document gives nothing") {
  for (const std::string body :
       {"", "  ", "<html><head><title>502</title></head></html>", "<!DOCTYPE html><html></html>", "Bad Gateway",
        "{\"error\":1}", "<ListBucketResult/>", "<Error><Code>x", "<Errors/>"}) {
    CAPTURE(body);
    CHECK_FALSE(parse_error(body).has_value());
  }
}

TEST_CASE("xml: document type declarations define nothing") {
  const auto error = parse_error("<!DOCTYPE x [<!ENTITY e \"boom\">]><Error><Code>&e;</Code></Error>");
  if (error) CHECK(error->code == "&e;");
}

TEST_CASE("xml: depth and size are limited") {
  const auto nested = [](int levels) {
    std::string open, close;
    for (int i = 0; i < levels; ++i) {
      open += "<x>";
      close += "</x>";
    }
    return "<Error><Code>c</Code>" + open + close + "</Error>";
  };
  CHECK(parse_error(nested(max_depth - 1)).has_value());
  CHECK_FALSE(parse_error(nested(max_depth)).has_value());
  CHECK_FALSE(parse_error(nested(100000)).has_value());
  const std::string error = "<Error><Code>c</Code></Error>";
  CHECK(parse_error(error + std::string(max_document - error.size(), ' ')).has_value());
  CHECK_FALSE(parse_error(error + std::string(max_document - error.size() + 1, ' ')).has_value());
}

TEST_CASE("xml: the body of Complete carries ETags verbatim and escaped") {
  const CompletedPart parts[] = {{1, "\"ab\""}, {2, "<&>"}};
  CHECK(complete_body(parts) ==
        "<CompleteMultipartUpload>"
        "<Part><PartNumber>1</PartNumber><ETag>\"ab\"</ETag></Part>"
        "<Part><PartNumber>2</PartNumber><ETag>&lt;&amp;&gt;</ETag></Part>"
        "</CompleteMultipartUpload>");
}

TEST_CASE("xml: ETags are normalised for comparison") {
  struct Row {
    std::string text, normal;
  };
  const Row rows[] = {
      {"\"D41D8CD98F00B204E9800998ECF8427E\"", "d41d8cd98f00b204e9800998ecf8427e"},
      {"&quot;ab-2&quot;", "ab-2"},
      {"W/\"AB\"", "ab"},
      {" ab ", "ab"},
      {"ab", "ab"},
      {"\"Qm-Zx\"", "Qm-Zx"},
      {"", ""},
      {"\"", ""},
      {"\"\"", ""},
      {"&quot;", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(normalise_etag(row.text) == row.normal);
  }
}
