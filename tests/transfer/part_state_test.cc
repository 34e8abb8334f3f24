// SPDX-License-Identifier: MIT
#include "transfer/part_state.h"

#include <doctest/doctest.h>

using namespace hfpour;

TEST_CASE("part state: an ETag that looks like an MD5 is compared however it is written") {
  const std::string md5 = "0123456789abcdef0123456789abcdef";
  for (const std::string& etag :
       {"\"" + md5 + "\"", md5, "W/\"" + md5 + "\"", std::string("\"0123456789ABCDEF0123456789ABCDEF\"")}) {
    CAPTURE(etag);
    CHECK(md5_in_etag(etag) == md5);
  }
  for (const std::string& etag : {std::string(), std::string("\"\""), "\"" + md5 + "-2\"", md5.substr(1),
                                  std::string("\"not-an-md5-but-of-the-same-length\"")}) {
    CAPTURE(etag);
    CHECK_FALSE(md5_in_etag(etag).has_value());
  }
}
