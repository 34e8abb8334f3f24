// SPDX-License-Identifier: MIT
#include "loop/side_loop.h"

#include <pthread.h>

#include <utility>

namespace hfpour {

SideLoop::SideLoop(const Clock& clock, const char* name)
    : reactor_(clock), tasks_(reactor_.ready(), CancelToken()), thread_([this, name] {
        pthread_setname_np(pthread_self(), name);  // by itself: of another thread it is a file opened for writing
        named_.count_down();
        reactor_.run(serve());
      }) {
  named_.wait();
}

SideLoop::~SideLoop() {
  reactor_.post([this] {
    closing_ = true;
    changed_.notify();
  });
}

void SideLoop::spawn(std::function<Task<Result<void>>()> begin) {
  reactor_.post([this, begin = std::move(begin)] { tasks_.spawn(begin()); });
}

Task<void> SideLoop::serve() {
  while (!closing_) co_await changed_.wait(CancelToken());
  const Result<void> done = co_await tasks_.join();
  (void)done;
}

}  // namespace hfpour
