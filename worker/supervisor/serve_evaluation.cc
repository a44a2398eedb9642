// SPDX-License-Identifier: Apache-2.0
// Implements serve_evaluation.h: one thread receives, so that a cancellation gets through, another one works.
#include "worker/supervisor/serve_evaluation.h"

#include <unistd.h>

#include <chrono>
#include <deque>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "common/base/logging.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/base/utf8.h"
#include "heterosis/v1/evaluation.pb.h"
#include "proto/wire.h"
#include "worker/supervisor/message_pipe.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kProgressInterval{500};
constexpr milliseconds kSendPatience{24 * 3600 * 1000};  // a parent that is stopped goes on some time

EvaluationSetup FromWire(const v1::EvaluationSetup& message) {
  return {.gpu = message.gpu(),
          .threads = message.threads(),
          .models = {message.models().begin(), message.models().end()},
          .language_model = message.language_model(),
          .log_json = message.log_json(),
          .log_verbose = message.log_verbose()};
}

class Server {
 public:
  Server(int socket, const RunnerFactory& factory) : pipe_(socket), factory_(factory) {}

  [[noreturn]] void Serve() {
    std::thread receiver([this] { Receive(); });
    for (;;) Answer(Next());
  }

 private:
  [[noreturn]] void Receive() {
    uint64_t told = 0;
    for (;;) {
      const absl::StatusOr<std::optional<std::string>> message = pipe_.Receive(kProgressInterval);
      if (!message.ok()) _exit(0);  // the parent has gone
      if (message->has_value()) Take(**message);
      if (const uint64_t now = progress_; now != told) {
        told = now;
        v1::EvaluationReply reply;
        reply.set_progress(true);
        Send(reply);
      }
    }
  }

  void Take(const std::string& bytes) {
    v1::EvaluationRequest request;
    if (!request.ParseFromString(bytes)) _exit(1);
    if (request.has_cancel()) {
      cancelled_ = true;
      return;
    }
    cancelled_ = false;  // a cancellation that came too late was of the request before
    MutexLock lock(mutex_);
    requests_.push_back(std::move(request));
    changed_.notify_all();
  }

  v1::EvaluationRequest Next() {
    MutexLock lock(mutex_);
    while (requests_.empty()) changed_.wait(mutex_);
    v1::EvaluationRequest request = std::move(requests_.front());
    requests_.pop_front();
    return request;
  }

  // libtorch's exceptions are caught at its doors; what still comes here is a failed allocation, or a mistake.
  void Answer(const v1::EvaluationRequest& request) {
    v1::EvaluationReply reply;
    bool broken = true;
    try {
      const absl::Status status = Perform(request, reply);
      if (!status.ok()) SetError(status, reply);
      broken = false;
    } catch (const std::bad_alloc&) {
      SetError(absl::ResourceExhaustedError("out of memory (std::bad_alloc)"), reply);
    } catch (const std::exception& error) {
      SetError(absl::InternalError(absl::StrCat("exception: ", error.what())), reply);
    }
    if (broken) reply.mutable_error()->set_broken(true);
    Send(reply);
    if (broken) _exit(1);
  }

  absl::Status Perform(const v1::EvaluationRequest& request, v1::EvaluationReply& reply) {
    if (request.has_setup()) {
      const EvaluationSetup setup = FromWire(request.setup());
      InitLogging("worker", setup.log_json ? LogFormat::kJson : LogFormat::kText, setup.log_verbose);
      ASSIGN_OR_RETURN(runner_, factory_(setup, progress_));
      reply.set_done(true);
      return absl::OkStatus();
    }
    if (runner_ == nullptr) return absl::FailedPreconditionError("a request before the setup");
    if (request.has_prepare()) {
      ASSIGN_OR_RETURN(const Task task, heterosis::FromWire(request.prepare()));
      RETURN_IF_ERROR(runner_->Prepare(task));
      reply.set_done(true);
      return absl::OkStatus();
    }
    if (request.has_canary()) {
      ASSIGN_OR_RETURN(const CanaryWork work, heterosis::FromWire(request.canary()));
      ASSIGN_OR_RETURN(const CanaryResult result, runner_->RunCanary(work, cancelled_));
      *reply.mutable_canary() = ToWire(result);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const ShardWork work, heterosis::FromWire(request.run()));
    ASSIGN_OR_RETURN(const ShardResult result, runner_->Run(work, cancelled_));
    *reply.mutable_result() = ToWire(result);
    return absl::OkStatus();
  }

  static void SetError(const absl::Status& status, v1::EvaluationReply& reply) {
    reply.mutable_error()->set_code(static_cast<int>(status.code()));
    reply.mutable_error()->set_message(RepairUtf8(Message(status)));
  }

  void Send(const v1::EvaluationReply& reply) {
    MutexLock lock(send_mutex_);
    absl::Status sent = pipe_.Send(reply.SerializeAsString(), kSendPatience);
    if (absl::IsInvalidArgument(sent)) {  // too large
      v1::EvaluationReply error;
      SetError(sent, error);
      sent = pipe_.Send(error.SerializeAsString(), kSendPatience);
    }
    if (!sent.ok()) _exit(0);
  }

  MessagePipe pipe_;
  const RunnerFactory& factory_;
  std::unique_ptr<TrialRunner> runner_;
  std::atomic<uint64_t> progress_ = 0;
  std::atomic<bool> cancelled_ = false;
  Mutex send_mutex_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<v1::EvaluationRequest> requests_ ABSL_GUARDED_BY(mutex_);  // one, of a parent that keeps to the protocol
};

}  // namespace

void ServeEvaluation(int socket, const RunnerFactory& factory) {
  Server server(socket, factory);
  server.Serve();
}

}  // namespace heterosis
