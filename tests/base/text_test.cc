// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <doctest/doctest.h>

#include "base/log.h"
#include "base/secret.h"

using namespace hfpour;

TEST_CASE("text: hexadecimal there and back") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  const std::string hex = to_hex(as_view(all));
  CHECK(hex.starts_with("000102"));
  CHECK(hex.ends_with("fdfeff"));
  const auto back = from_hex(hex);
  REQUIRE(back);
  CHECK(as_text(*back) == all);
  CHECK(from_hex("AbCd").has_value());
  CHECK(from_hex("")->empty());
  for (const char* const bad : {"a", "abc", "0g", "0x", "a ", " a"}) CHECK_FALSE(from_hex(bad).has_value());
}

TEST_CASE("text: a list is cut, trimmed, and has no empty pieces") {
  using Words = std::vector<std::string>;
  CHECK(split_list(" a, b c ,,\t,d", ',') == Words{"a", "b c", "d"});
  CHECK(split_list("", ',').empty());
  CHECK(split_list(",", ',').empty());
  CHECK(split_list("one", ',') == Words{"one"});
}

TEST_CASE("text: percent encoding keeps only what needs none") {
  CHECK(percent_encode("a/b c+ä~", true) == "a/b%20c%2B%C3%A4~");
  CHECK(percent_encode("a/b", false) == "a%2Fb");
  CHECK(percent_encode("AZaz09-._~", false) == "AZaz09-._~");
  CHECK(percent_encode("%", true) == "%25");
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(percent_decode(percent_encode(all, false)) == all);
}

TEST_CASE("text: a broken escape stays as it is") {
  CHECK(percent_decode("%41%4a%4A") == "AJJ");
  CHECK(percent_decode("%") == "%");
  CHECK(percent_decode("%4") == "%4");
  CHECK(percent_decode("%4g%zz") == "%4g%zz");
  CHECK(percent_decode("a+b") == "a+b");
}

TEST_CASE("text: a decimal number is all of the text or nothing") {
  CHECK(parse_decimal("0") == Bytes(0));
  CHECK(parse_decimal("18446744073709551615") == ~Bytes(0));
  for (const char* const bad : {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "18446744073709551616"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_decimal(bad).has_value());
  }
}

TEST_CASE("text: a duration is a whole number with a unit") {
  CHECK(parse_duration("0s") == std::chrono::seconds(0));
  CHECK(parse_duration("90m") == std::chrono::minutes(90));
  CHECK(parse_duration("24h") == std::chrono::hours(24));
  CHECK(parse_duration("3650d") == std::chrono::hours(24 * 3650));
  for (const char* const bad : {"", "h", "24", "1.5h", "-1h", "24 h", "3651d", "99999999999999999999s", "1w"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad).has_value());
  }
}

TEST_CASE("text: only well-formed UTF-8 is UTF-8") {
  CHECK(is_utf8("plain, ä, 雪, 🤗"));
  CHECK(is_utf8(""));
  for (const char* const bad : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80",
                                "\xf4\x90\x80\x80", "\xff", "a\xe2\x82"}) {
    CHECK_FALSE(is_utf8(bad));
  }
}

// Found by tests/fuzz (manifest, written): nine more bytes behind a wrong first one passed for a letter of ten.
TEST_CASE("text: a byte that begins no letter begins none, whatever follows it") {
  for (const char lead : {'\x80', '\xbf', '\xf8', '\xff'}) {
    CHECK_FALSE(is_utf8(lead + std::string(20, '\x80')));
    CHECK(printable(lead + std::string(9, '\x80')).size() == 40);
  }
}

TEST_CASE("text: nothing printable can move a terminal's cursor") {
  CHECK(printable("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a");
  CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");  // C1, obeyed by some terminals
  CHECK(printable("\xff\x7f") == "\\xff\\x7f");
  CHECK(printable("ä 雪") == "ä 雪");
  CHECK(printable("ääää", 3) == "ää…");
  CHECK(printable(std::string(1000, 'x')).size() < 410);
}

TEST_CASE("text: blanks at the ends go, case folds in ASCII only") {
  CHECK(trim(" \t\r\n a b \n") == "a b");
  CHECK(trim(" \n").empty());
  CHECK(to_lower("ÄbC-Z") == "Äbc-z");
  CHECK(same_but_for_case("Content-Type", "content-tYPE"));
  CHECK_FALSE(same_but_for_case("etag", "etags"));
  CHECK_FALSE(same_but_for_case("etags", "etag"));
  CHECK_FALSE(same_but_for_case("a@", "a`"));  // a bit apart, as letters are, but no letters
}

TEST_CASE("log: an address in a log has no query and no user") {
  CHECK(redact("https://cdn/x?X-Amz-Signature=abc#f") == "https://cdn/x");
  CHECK(redact("https://user:pass@host/x@y?z") == "https://host/x@y");
  CHECK(redact("https://user:pass@host") == "https://host");
  CHECK(redact("not an address?secret") == "not an address");
  for (const char* const url :
       {"https://user:se/cret@host/x", "https://user:se?cret@host/x", "https://user:se#cret@host/x"}) {
    CHECK(redact(url).find("cret") == std::string::npos);
  }
  CHECK(redact("https://[::1]:80/x@y") == "https://[::1]:80/x@y");
  CHECK(redact("https://[::1]/x") == "https://[::1]/x");
  CHECK(redact("hf://owner/name@v1") == "hf://owner/name@v1");
}

TEST_CASE("log: a JSON string is one whatever the bytes are") {
  CHECK(json_quote("a\"b\\c\n\x01") == "\"a\\\"b\\\\c\\n\\u0001\"");
  CHECK(json_quote("ä\xff") == "\"ä\\ufffd\"");
}
