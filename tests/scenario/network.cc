// SPDX-License-Identifier: Apache-2.0
// Implements network.h.
#include "tests/scenario/network.h"

#include <utility>
#include <vector>

namespace heterosis {

using std::chrono::milliseconds;

Clock::Duration Network::Delay() {
  if (Lost(faults.stall)) return milliseconds(1'000 + static_cast<int64_t>(random_.NextBelow(30'000)));
  return milliseconds(
      static_cast<int64_t>(static_cast<double>(faults.delay.count()) * (0.5 + 2.5 * random_.NextUniform())));
}

void Network::Call(int from, Request request, Clock::Duration deadline, OnReply reply) {
  const int64_t call = ++calls_;
  open_[call] = {from, std::move(reply)};
  events_.After(deadline, [this, call] { Finish(call, absl::DeadlineExceededError("deadline")); });
  if (cuts_[from].requests || Lost(faults.loss)) return;
  const int copies = Lost(faults.repetition) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    const Clock::Duration delay = Delay() + (copy > 0 ? milliseconds(random_.NextBelow(20'000)) : milliseconds(0));
    if (copy + 1 == copies) {
      events_.After(delay, [this, call, from, request = std::move(request)] { Deliver(call, request, from); });
    } else {
      events_.After(delay, [this, call, from, request] { Deliver(call, request, from); });
    }
  }
}

void Network::Deliver(int64_t call, const Request& request, int from) {
  const auto found = open_.find(call);
  if (!handler_->listening()) {
    if (found != open_.end()) Answer(call, absl::UnavailableError("connection refused"));
    return;
  }
  if (found != open_.end()) found->second.delivered = true;
  const auto gone = [this, call] {
    const auto state = open_.find(call);
    return state != open_.end() && state->second.gone;
  };
  handler_->Handle(from, request, gone, [this, call](Reply reply) { Answer(call, std::move(reply)); });
}

void Network::Answer(int64_t call, Reply reply) {
  const auto found = open_.find(call);
  if (found == open_.end() || cuts_[found->second.from].answers || Lost(faults.loss)) return;
  events_.After(Delay(), [this, call, reply = std::move(reply)]() mutable { Finish(call, std::move(reply)); });
}

void Network::Finish(int64_t call, Reply reply) {
  const auto found = open_.find(call);
  if (found == open_.end()) return;
  const OnReply on_reply = std::move(found->second.reply);
  open_.erase(found);
  if (on_reply) on_reply(std::move(reply));
}

void Network::WorkerDied(int worker) {
  for (auto& [call, state] : open_) {
    if (state.from != worker) continue;
    state.reply = nullptr;
    events_.After(Delay(), [this, call = call] {
      if (const auto found = open_.find(call); found != open_.end()) found->second.gone = true;
    });
  }
}

void Network::CoordinatorDied(bool silently) {
  if (silently) return;
  std::vector<int64_t> waiting;
  for (const auto& [call, state] : open_) {
    if (state.delivered) waiting.push_back(call);
  }
  for (const int64_t call : waiting) Answer(call, absl::UnavailableError("connection reset"));
}

}  // namespace heterosis
