// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "sink/store.h"
#include "sink/transport.h"

namespace sink {

/// One HTTP/1.1 connection: head, body, answer, and again. Knows no clock: between body and answer it stops, and goes
/// on when it is released.
class Connection {
 public:
  /// What a connection waits for.
  enum class Wish {
    read,
    write,
    turn,     ///< it has had its share of the loop and has more to do at once
    release,  ///< the answer is ready, and whoever keeps the time says when it may go
    hold,     ///< it has said so before
    end,
  };

  Connection(std::unique_ptr<Transport> transport, Store& store) : transport_(std::move(transport)), store_(store) {}

  /// Does what can be done without waiting.
  Wish go_on();
  /// The waiting answer may go out.
  void release() { stage_ = Stage::answer; }

 private:
  enum class Stage { head, body, held, answer };

  Wish go_on_head();
  Wish go_on_body();
  Wish go_on_answer();
  Wish begin_body();
  Wish blocked() const { return transport_->wants_write() ? Wish::write : Wish::read; }
  void refuse(Answer answer);
  void finish_body();

  std::unique_ptr<Transport> transport_;
  Store& store_;
  Stage stage_ = Stage::head;
  std::string input_;  ///< what came and has not been looked at
  Request request_;
  std::uint64_t left_ = 0;  ///< of the body
  bool wanted_ = false;     ///< the body is kept
  std::string body_;
  std::string output_;
  std::size_t sent_ = 0;
  bool closing_ = false;
};

}  // namespace sink
