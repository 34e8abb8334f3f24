// SPDX-License-Identifier: MIT
// A store for benchmarks that answers like S3 and throws the bytes away: see bench/README.md.
#include <fmt/core.h>
#include <getopt.h>

#include <cstdio>
#include <cstdlib>

#include "sink/server.h"

namespace {

constexpr const char* usage =
    "hfpour_sink [--port N] [--delay-ms N] [--tls-cert FILE --tls-key FILE] [--exit-with-parent]\n"
    "\n"
    "Answers S3 requests on 127.0.0.1 and throws bodies away; checks no signature. Prints {\"endpoint\": URL} when it "
    "is\n"
    "ready. GET /_sink/counters tells what came, GET /_sink/reset forgets everything.\n"
    "  --delay-ms N          each answer waits so long\n"
    "  --exit-with-parent    ends when standard input ends\n";

const option options[] = {{"port", required_argument, nullptr, 'p'},
                          {"delay-ms", required_argument, nullptr, 'd'},
                          {"tls-cert", required_argument, nullptr, 'c'},
                          {"tls-key", required_argument, nullptr, 'k'},
                          {"exit-with-parent", no_argument, nullptr, 'e'},
                          {"help", no_argument, nullptr, 'h'},
                          {nullptr, 0, nullptr, 0}};

}  // namespace

int main(int count, char** words) {
  sink::Settings settings;
  for (int letter = 0; (letter = getopt_long(count, words, "", options, nullptr)) != -1;) {
    if (letter == 'p') settings.port = std::atoi(optarg);
    if (letter == 'd') settings.delay = std::chrono::milliseconds(std::atoi(optarg));
    if (letter == 'c') settings.certificate = optarg;
    if (letter == 'k') settings.key = optarg;
    if (letter == 'e') settings.exit_with_parent = true;
    if (letter == 'h' || letter == '?') {
      fmt::print(letter == 'h' ? stdout : stderr, "{}", usage);
      return letter == 'h' ? 0 : 2;
    }
  }
  if (optind != count || settings.certificate.empty() != settings.key.empty()) {
    fmt::print(stderr, "{}", usage);
    return 2;
  }
  sink::Server server(settings);
  if (!server.start()) return 1;
  fmt::print("{{\"endpoint\": \"{}\"}}\n", server.endpoint());
  std::fflush(stdout);
  server.serve();
  return 0;
}
