// SPDX-License-Identifier: MIT
#include "http/exchange.h"

#include <fmt/core.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <charconv>

#include "base/log.h"
#include "base/text.h"
#include "http/classify.h"
#include "http/receive_buffer.h"
#include "http/url.h"

namespace hfpour::http {
namespace {
constexpr Bytes most_header_bytes = 256 * KiB;  ///< honest ones stay below 10 KiB (contract hub §9)
// A stream this slow would hold a lane for hours; another edge may do better (contract hub §9: 1 kB/s for 30 s).
constexpr std::chrono::seconds slow_window{30};
constexpr Bytes slowest_body = 1000;  ///< per second
constexpr Bytes one_record = 16 * KiB;
constexpr Bytes some_records = 64 * KiB;

/// Behind each record there may be another in memory, which has been read ahead and the kernel does not know of.
/// libcurl takes one at a time, and tells nobody of one that has no byte of a header or a body, such as the length of a
/// chunk. Nor does it tell its TLS which socket is whose. When a pause ends it takes one record by itself.
void record_callback(int sent, int, int type, const void*, std::size_t, SSL*, void* self) {
  if (sent == 0 && type == SSL3_RT_HEADER) static_cast<Reactor*>(self)->look_again();
}
}  // namespace

Exchange::Exchange(Client& client, Request request)
    : client_(client), request_(std::move(request)), tls_(request_.url.starts_with("https:")) {
}

Exchange::~Exchange() {
  client_.forget(this);
  if (easy_ == nullptr) return;
  if (running_) client_.reactor().remove(easy_);
  client_.release(easy_);
  curl_slist_free_all(header_list_);
}

void Exchange::receive_into(Inlet& inlet, std::function<bool(const Response&)> accept) {
  inlet_ = &inlet;
  accept_ = std::move(accept);
}

Task<Result<Response>> Exchange::run(CancelToken cancel) {
  if (cancel.cancelled()) co_return cancel.error();
  prepare();
  if (inlet_ != nullptr) inlet_->set_waker(this);
  if (outlet_ != nullptr) outlet_->set_waker(this);
  running_ = true;
  const SteadyTime begun = client_.reactor().clock().now();
  moved();
  client_.reactor().add(easy_, *this);
  arm_watchdog();
  const CancelRegistration stop(cancel, [this, cancel] { finish(cancel.error()); });
  while (running_) co_await ended_.wait(CancelToken());
  if (watchdog_) client_.reactor().forget(*watchdog_);
  if (inlet_ != nullptr) inlet_->set_waker(nullptr);
  if (outlet_ != nullptr) outlet_->set_waker(nullptr);
  if (client_.leg().trace) client_.leg().trace(summary(begun));
  if (error_) co_return *error_;
  response_.sent = sent_;
  co_return std::move(response_);
}

/// What a person needs to follow a run: never a query, which may be signed, and no header.
std::string Exchange::summary(SteadyTime begun) const {
  const auto took = std::chrono::duration_cast<Millis>(client_.reactor().clock().now() - begun);
  const std::string end = error_ ? error_->describe() : fmt::format("HTTP {}", response_.status);
  return fmt::format("{} {}: {}, {} ms, {} B sent, {} B received", request_.method, redact(request_.url), end,
                     took.count(), sent_, received_);
}

// --- setting up

void Exchange::prepare() {
  easy_ = client_.acquire();
  prepare_connection();
  prepare_method();
  prepare_headers();
  prepare_address();
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, detail_.data());
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &Exchange::header_callback);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Exchange::write_callback);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
}

/// An address that libcurl takes apart itself it also puts together again, letter by letter.
void Exchange::prepare_address() {
  curl_easy_setopt(easy_, CURLOPT_URL, request_.url.c_str());
  address_.reset(curl_url());
  const CURLUcode set = curl_url_set(address_.get(), CURLUPART_URL, request_.url.c_str(), CURLU_PATH_AS_IS);
  if (set == CURLUE_OK) curl_easy_setopt(easy_, CURLOPT_CURLU, address_.get());
}

void Exchange::prepare_connection() {
  const Leg& leg = client_.leg();
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_PATH_AS_IS, 1L);
  // One HTTP/2 connection would carry all lanes and cap them (contract hub §3.9); stores speak 1.1 (s3 §4.9).
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(leg.connect_timeout.count()));
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy_, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy_, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!leg.ca_bundle.empty()) trust_only(leg.ca_bundle);
  if (leg.direct) curl_easy_setopt(easy_, CURLOPT_PROXY, "");
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, leg.user_agent.c_str());
  // The answer to an upload is short, and TLS gives out one record at a time.
  curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE,
                   static_cast<long>(outlet_ != nullptr || tls_ ? one_record : leg.buffers.copy));
  curl_easy_setopt(easy_, CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(tls_ ? some_records : leg.buffers.copy));
  curl_easy_setopt(easy_, CURLOPT_SSL_CTX_FUNCTION, &Exchange::tls_callback);
  curl_easy_setopt(easy_, CURLOPT_SSL_CTX_DATA, this);
  curl_easy_setopt(easy_, CURLOPT_SOCKOPTFUNCTION, &Exchange::socket_callback);
  curl_easy_setopt(easy_, CURLOPT_SOCKOPTDATA, this);
}

/// The certificates of this file, and none of the system's directory besides. Where there is no directory libcurl keeps
/// what it has read for all connections; else each has a copy of its own, which for a system's 140 certificates is
/// 2 MiB and more (docs/performance.md).
void Exchange::trust_only(const std::string& file) {
  curl_easy_setopt(easy_, CURLOPT_CAINFO, file.c_str());
  curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(easy_, CURLOPT_PROXY_CAINFO, file.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROXY_CAPATH, nullptr);
}

void Exchange::prepare_method() {
  const bool has_body = outlet_ != nullptr || request_.method == "PUT" || request_.method == "POST";
  if (request_.method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  } else if (outlet_ != nullptr) {
    curl_easy_setopt(easy_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(outlet_->length()));
    curl_easy_setopt(easy_, CURLOPT_READFUNCTION, &Exchange::read_callback);
    curl_easy_setopt(easy_, CURLOPT_READDATA, this);
    curl_easy_setopt(easy_, CURLOPT_SEEKFUNCTION, &Exchange::seek_callback);
    curl_easy_setopt(easy_, CURLOPT_SEEKDATA, this);
  } else if (has_body) {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    // Without an address libcurl would read from stdin.
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_.body.empty() ? "" : request_.body.data());
  }
  if (request_.method != "GET" && request_.method != "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
}

void Exchange::prepare_headers() {
  const auto add = [this](const std::string& line) { header_list_ = curl_slist_append(header_list_, line.c_str()); };
  for (const Header& field : request_.headers.fields()) {
    add(field.value.empty() ? field.name + ";" : field.name + ": " + field.value);
  }
  // What libcurl would add by itself and a signature or a store does not want.
  for (const char* const name : {"Expect", "Accept", "Content-Type"}) {
    if (!request_.headers.get(name)) add(std::string(name) + ":");
  }
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, header_list_);
}

// --- running

void Exchange::arm_watchdog() {
  last_look_ = client_.reactor().clock().now();
  received_since_look_ = 0;
  streamed_since_look_ = inlet_ != nullptr && accepted_.has_value() && !receive_paused_;
  const SteadyTime next = std::min(last_move_ + client_.leg().stall_limit, last_look_ + slow_window);
  watchdog_ = client_.reactor().at(next, [this] {
    watchdog_.reset();
    look_for_stall();
  });
}

void Exchange::look_for_stall() {
  if (receive_paused_ || send_paused_) moved();
  const Millis idle = std::chrono::duration_cast<Millis>(client_.reactor().clock().now() - last_move_);
  const auto window = std::chrono::duration_cast<std::chrono::seconds>(client_.reactor().clock().now() - last_look_);
  const bool trickles = streamed_since_look_ && window >= slow_window &&
                        received_since_look_ < slowest_body * static_cast<Bytes>(window.count());
  if (trickles) {
    finish(Error(Kind::timeout, fmt::format("only {} came from {} in {} s", format_bytes(received_since_look_), host(),
                                            window.count())));
  } else if (idle >= client_.leg().stall_limit) {
    finish(Error(Kind::timeout, fmt::format("nothing came from {} for {} s", host(), idle.count() / 1000)));
  } else {
    arm_watchdog();
  }
}

void Exchange::finish(Error error) {
  if (!running_) return;
  client_.reactor().remove(easy_);
  running_ = false;
  error_ = std::move(error);
  ended_.notify();
}

void Exchange::wake() {
  if (running_ && (receive_paused_ || send_paused_)) client_.wake_later(this);
}

void Exchange::go_on() {
  if (!running_ || (!receive_paused_ && !send_paused_)) return;
  receive_paused_ = false;
  send_paused_ = false;
  moved();
  curl_easy_pause(easy_, CURLPAUSE_CONT);
}

void Exchange::on_done(CURLcode code) {
  running_ = false;
  if (cut_) code = CURLE_OK;
  long tunnel = 0;
  curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &tunnel);
  const bool refused = code != CURLE_OK && tunnel >= 300;
  if (!error_ && (refused || response_.status == 407))
    error_ = proxy_refusal(refused ? static_cast<int>(tunnel) : 407, host());
  if (code != CURLE_OK && !error_) error_ = classify(code, host(), detail_.data());
  ended_.notify();
}

void Exchange::on_header(std::string_view line) {
  moved();
  header_bytes_ += line.size();
  if (line.starts_with("HTTP/")) {
    response_ = Response();
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos) {
      std::from_chars(line.data() + space + 1, line.data() + line.size(), response_.status);
    }
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.front() == ' ' || line.front() == '\t') return;  // end, or a folded line
  response_.headers.add(std::string(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1))));
}

std::size_t Exchange::on_body(ByteView bytes) {
  moved();
  received_since_look_ += bytes.size();
  if (!accepted_) accepted_ = inlet_ != nullptr && accept_(response_);
  if (*accepted_) {
    switch (inlet_->take(bytes)) {
      case Inlet::Take::all:
        received_ += bytes.size();
        look_at_receive_buffer(bytes.size());
        return bytes.size();
      case Inlet::Take::wait:
        receive_paused_ = true;
        streamed_since_look_ = false;
        return CURL_WRITEFUNC_PAUSE;
      case Inlet::Take::refused:
        error_ = Error(Kind::protocol, host() + " sent more bytes than were asked for");
        return CURL_WRITEFUNC_ERROR;
    }
  }
  // A long body of an answer nobody can use, such as an error page, is cut, since it may have no end; one that was
  // wanted whole is an error.
  if (response_.body.size() + bytes.size() > body_limit_) {
    cut_ = response_.status >= 400;
    if (cut_) return CURL_WRITEFUNC_ERROR;
    error_ =
        Error(Kind::protocol, fmt::format("the answer of {} is longer than {}", host(), format_bytes(body_limit_)));
    return CURL_WRITEFUNC_ERROR;
  }
  received_ += bytes.size();
  response_.body.append(as_text(bytes));
  return bytes.size();
}

/// Also of a connection that was opened before there was a plan, with the kernel's choice.
void Exchange::look_at_receive_buffer(Bytes more) {
  const Leg& leg = client_.leg();
  if (leg.buffers.receive_window == 0 || growth_ended_) return;
  received_unseen_ += more;
  if (received_unseen_ < look_at_buffer_each) return;
  received_unseen_ = 0;
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(easy_, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK) return;
  growth_ended_ = end_growth(socket, leg.buffers.receive_window);
}

std::size_t Exchange::on_send(std::span<std::byte> buffer) {
  moved();
  const Outlet::Give give = outlet_->give(buffer);
  switch (give.kind) {
    case Outlet::Kind::bytes: sent_ += give.count; return give.count;
    case Outlet::Kind::wait: send_paused_ = true; return CURL_READFUNC_PAUSE;
    case Outlet::Kind::stop: break;
  }
  error_ = Error(Kind::cancelled, "the source of the request's body has stopped");
  return CURL_READFUNC_ABORT;
}

int Exchange::on_rewind() {
  if (!outlet_->rewind()) return CURL_SEEKFUNC_CANTSEEK;
  sent_ = 0;
  return CURL_SEEKFUNC_OK;
}

std::string Exchange::host() const {
  const Result<Url> url = parse_url(request_.url);
  return url ? origin_of(*url) : "the server";
}

// --- libcurl's doors

std::size_t Exchange::header_callback(char* data, std::size_t size, std::size_t count, void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  exchange.on_header(std::string_view(data, size * count));
  if (exchange.header_bytes_ <= most_header_bytes) return size * count;
  exchange.error_ = Error(Kind::protocol, exchange.host() + " sends header fields without end");
  return 0;
}

std::size_t Exchange::write_callback(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->on_body(as_view(std::string_view(data, size * count)));
}

std::size_t Exchange::read_callback(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->on_send(std::as_writable_bytes(std::span(data, size * count)));
}

int Exchange::seek_callback(void* self, curl_off_t offset, int origin) {
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  return static_cast<Exchange*>(self)->on_rewind();
}

// OpenSSL would ask the kernel twice for each record of 16 KiB.
CURLcode Exchange::tls_callback(CURL*, void* context, void* self) {
  const Exchange& exchange = *static_cast<Exchange*>(self);
  if (!exchange.tls_) return CURLE_OK;  // a proxy's, whose connections other exchanges may share
  auto* const tls = static_cast<SSL_CTX*>(context);
  SSL_CTX_set_read_ahead(tls, 1);
  SSL_CTX_set_default_read_buffer_len(tls, some_records);
  SSL_CTX_set_msg_callback(tls, &record_callback);
  SSL_CTX_set_msg_callback_arg(tls, &exchange.client_.reactor());  // which outlives all connections
  return CURLE_OK;
}

// A cgroup is charged for socket buffers, and one socket may grow to 6 MiB or more by itself.
int Exchange::socket_callback(void* self, curl_socket_t socket, curlsocktype) {
  const Exchange& exchange = *static_cast<Exchange*>(self);
  const Leg& leg = exchange.client_.leg();
  const Bytes window = exchange.client_.window_of(socket, exchange.inlet_ != nullptr);
  if (window > 0) bound_receive_buffer(socket, window, leg.window_fixed);
  if (leg.buffers.send_buffer > 0) {
    const int buffer = static_cast<int>(leg.buffers.send_buffer);
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  }
  return CURL_SOCKOPT_OK;
}

}  // namespace hfpour::http
