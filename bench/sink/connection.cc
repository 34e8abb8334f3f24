// SPDX-License-Identifier: MIT
#include "sink/connection.h"

#include <algorithm>
#include <array>

namespace sink {
namespace {

constexpr std::size_t longest_head = std::size_t{64} << 10U;
constexpr std::uint64_t share = std::uint64_t{4} << 20U;  ///< bytes of a body before the other connections have a turn
constexpr std::string_view go_ahead = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Connection::Wish Connection::go_on() {
  while (true) {
    const Stage before = stage_;
    Wish wish = Wish::hold;
    if (before == Stage::head) wish = go_on_head();
    if (before == Stage::body) wish = go_on_body();
    if (before == Stage::answer) wish = go_on_answer();
    if (stage_ == before || stage_ == Stage::held || wish == Wish::end) return wish;
  }
}

Connection::Wish Connection::go_on_head() {
  std::array<char, 8192> piece;
  while (true) {
    const std::size_t end = input_.find("\r\n\r\n");
    if (end != std::string::npos) {
      const std::optional<Request> parsed = parse_request(std::string_view(input_).substr(0, end));
      input_.erase(0, end + 4);
      if (!parsed) return Wish::end;
      request_ = *parsed;
      return begin_body();
    }
    if (input_.size() > longest_head) return Wish::end;
    const long got = transport_->read(piece.data(), piece.size());
    if (got == Transport::again) return blocked();
    if (got < 0) return Wish::end;
    input_.append(piece.data(), static_cast<std::size_t>(got));
  }
}

Connection::Wish Connection::begin_body() {
  closing_ = !request_.keep_alive;
  if (!request_.header("transfer-encoding").empty()) {
    refuse(error_answer(501, "NotImplemented", "bodies need a Content-Length"));
    return Wish::release;
  }
  left_ = request_.length;
  wanted_ = Store::wants_body(request_);
  body_.clear();
  // Also for an empty body: botocore takes a final answer without a 100 for one to the next request as well. The few
  // bytes go into an empty send buffer: no client sends a request before it has read the last answer.
  const bool asks = !request_.header("expect").empty() && input_.empty();
  if (asks && transport_->write(go_ahead.data(), go_ahead.size()) != static_cast<long>(go_ahead.size()))
    return Wish::end;
  stage_ = Stage::body;
  return Wish::turn;
}

Connection::Wish Connection::go_on_body() {
  const std::size_t early = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input_.size()));
  if (wanted_) body_.append(input_, 0, early);
  input_.erase(0, early);
  left_ -= early;
  std::array<char, 65536> piece;
  for (std::uint64_t done = 0; left_ > 0;) {
    if (done >= share) return Wish::turn;
    const long got =
        wanted_ ? transport_->read(piece.data(), static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece.size())))
                : transport_->discard(static_cast<std::size_t>(left_));
    if (got == Transport::again) return blocked();
    if (got < 0) return Wish::end;
    if (wanted_) body_.append(piece.data(), static_cast<std::size_t>(got));
    left_ -= static_cast<std::uint64_t>(got);
    done += static_cast<std::uint64_t>(got);
  }
  finish_body();
  return Wish::release;
}

void Connection::finish_body() {
  store_.received(request_.length);
  const Answer answer = store_.answer(request_, std::move(body_));
  output_ = serialise(answer, request_.method == "HEAD", !closing_);
  sent_ = 0;
  stage_ = Stage::held;
}

void Connection::refuse(Answer answer) {
  closing_ = true;
  output_ = serialise(answer, false, false);
  sent_ = 0;
  stage_ = Stage::held;
}

Connection::Wish Connection::go_on_answer() {
  while (sent_ < output_.size()) {
    const long put = transport_->write(output_.data() + sent_, output_.size() - sent_);
    if (put == Transport::again) return Wish::write;
    if (put < 0) return Wish::end;
    sent_ += static_cast<std::size_t>(put);
  }
  stage_ = Stage::head;
  return closing_ ? Wish::end : Wish::read;
}

}  // namespace sink
