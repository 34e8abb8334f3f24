// SPDX-License-Identifier: MIT
#include "loop/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace hfpour {

Signals::Signals(const std::vector<int>& numbers) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  std::signal(SIGPIPE, SIG_IGN);
}

Signals::~Signals() {
  if (fd_ >= 0) close(fd_);
}

void Signals::deliver_to(Reactor& reactor, std::function<void(int)> on_signal) {
  if (fd_ < 0) return;
  reactor.watch(fd_, [fd = fd_, call = std::move(on_signal)] {
    signalfd_siginfo info{};
    while (read(fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) call(static_cast<int>(info.ssi_signo));
  });
}

}  // namespace hfpour
