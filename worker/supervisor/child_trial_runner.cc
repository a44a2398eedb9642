// SPDX-License-Identifier: Apache-2.0
// Implements child_trial_runner.h.
#include "worker/supervisor/child_trial_runner.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/logging.h"
#include "common/base/status.h"
#include "heterosis/v1/evaluation.pb.h"
#include "proto/wire.h"
#include "worker/supervisor/child_process.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kPoll{50};
constexpr int kSmallerBatch = 4;  // times fewer rows after running out of memory
const std::atomic<bool> kNeverCancelled = false;

v1::EvaluationSetup ToWire(const EvaluationSetup& setup) {
  v1::EvaluationSetup message;
  message.set_gpu(setup.gpu);
  message.set_threads(setup.threads);
  for (const auto& [name, folder] : setup.models) (*message.mutable_models())[name] = folder;
  message.set_language_model(setup.language_model);
  message.set_log_json(setup.log_json);
  message.set_log_verbose(setup.log_verbose);
  return message;
}

class Runner : public ChildTrialRunner {
 public:
  Runner(ChildTrialRunnerOptions options, const std::atomic<bool>& stop) : options_(std::move(options)), stop_(stop) {}

  absl::Status Start() override {
    if (child_ != nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(child_, ChildProcess::Start(options_.program, options_.arguments));
    v1::EvaluationRequest request;
    *request.mutable_setup() = ToWire(options_.setup);
    set_up_ = false;
    prepared_rows_ = 0;
    const absl::Status sent = child_->pipe().Send(request.SerializeAsString(), options_.hang_max);
    return sent.ok() ? sent : Died();
  }

  absl::Status WaitReady() override {
    RETURN_IF_ERROR(Start());
    if (set_up_) return absl::OkStatus();
    RETURN_IF_ERROR(Await(kNeverCancelled).status());
    set_up_ = true;
    return absl::OkStatus();
  }

  absl::Status Prepare(const Task& task) override {
    task_ = task;
    rows_max_ = task.batch_size;
    prepared_rows_ = 0;
    return PrepareChild();
  }

  absl::StatusOr<ShardResult> Run(const ShardWork& work, const std::atomic<bool>& cancelled) override {
    v1::EvaluationRequest request;
    *request.mutable_run() = heterosis::ToWire(work);
    if (work.key.trial != trial_) rows_max_ = task_.batch_size;  // the last one's paths may have been longer
    trial_ = work.key.trial;
    ASSIGN_OR_RETURN(const v1::EvaluationReply reply, Ask(request, cancelled));
    if (!reply.has_result()) return absl::InternalError("the evaluation answered a shard with something else");
    return FromWire(reply.result());
  }

  absl::StatusOr<CanaryResult> RunCanary(const CanaryWork& work, const std::atomic<bool>& cancelled) override {
    v1::EvaluationRequest request;
    *request.mutable_canary() = heterosis::ToWire(work);
    ASSIGN_OR_RETURN(const v1::EvaluationReply reply, Ask(request, cancelled));
    if (!reply.has_canary()) return absl::InternalError("the evaluation answered a canary with something else");
    return FromWire(reply.canary());
  }

 private:
  absl::Status PrepareChild() {
    RETURN_IF_ERROR(WaitReady());
    if (prepared_rows_ == rows_max_) return absl::OkStatus();
    Task task = task_;
    task.batch_size = rows_max_;
    v1::EvaluationRequest request;
    *request.mutable_prepare() = heterosis::ToWire(task);
    RETURN_IF_ERROR(Exchange(request, kNeverCancelled).status());
    prepared_rows_ = rows_max_;
    return absl::OkStatus();
  }

  // Asks a child, and where that died for want of memory, one with fewer rows.
  absl::StatusOr<v1::EvaluationReply> Ask(const v1::EvaluationRequest& request, const std::atomic<bool>& cancelled) {
    for (;;) {
      // It was ready before: that it is not now has nothing to do with the request.
      if (const absl::Status ready = PrepareChild(); !ready.ok()) {
        return absl::UnavailableError(absl::StrCat("the evaluation cannot be started again: ", ready.message()));
      }
      if (cancelled) return absl::CancelledError("cancelled");
      absl::StatusOr<v1::EvaluationReply> reply = Exchange(request, cancelled);
      const bool died = child_ == nullptr;  // a child that lives has tried with fewer rows itself
      if (!absl::IsResourceExhausted(reply.status()) || !died || rows_max_ == 1) return reply;
      rows_max_ = std::max(1, rows_max_ / kSmallerBatch);
      LogWarning(absl::StrCat(reply.status().message(), "; trying again with batch size ", rows_max_));
    }
  }

  absl::StatusOr<v1::EvaluationReply> Exchange(const v1::EvaluationRequest& request,
                                               const std::atomic<bool>& cancelled) {
    const absl::Status sent = child_->pipe().Send(request.SerializeAsString(), options_.hang_max);
    if (absl::IsInvalidArgument(sent)) return sent;
    if (absl::IsDeadlineExceeded(sent)) return Hung();
    if (!sent.ok()) return Died();
    return Await(cancelled);
  }

  // The answer to what was sent, or why there is none.
  absl::StatusOr<v1::EvaluationReply> Await(const std::atomic<bool>& cancelled) {
    SteadyClock::time_point hung_at = SteadyClock::now() + options_.hang_max;
    std::optional<SteadyClock::time_point> cancelled_at;
    for (;;) {
      const absl::StatusOr<std::optional<std::string>> message = child_->pipe().Receive(kPoll);
      if (!message.ok()) return Died();
      const SteadyClock::time_point now = SteadyClock::now();
      if (message->has_value()) {
        v1::EvaluationReply reply;
        if (!reply.ParseFromString(**message)) return Hung();  // killed, for nothing it says can be understood
        if (!reply.has_progress()) return Accept(std::move(reply));
        hung_at = now + options_.hang_max;
      }
      if ((cancelled || stop_) && !cancelled_at.has_value()) {
        cancelled_at = now;
        v1::EvaluationRequest request;
        request.set_cancel(true);
        // A child that cannot even take this is killed below.
        (void)child_->pipe().Send(request.SerializeAsString(), options_.stop_max);
      }
      if (cancelled_at.has_value() && now - *cancelled_at > (stop_ ? options_.stop_max : options_.cancel_max)) {
        child_.reset();
        return absl::CancelledError("cancelled; the evaluation did not end by itself and was killed");
      }
      if (now > hung_at) return Hung();
    }
  }

  absl::StatusOr<v1::EvaluationReply> Accept(v1::EvaluationReply reply) {
    if (!reply.has_error()) return reply;
    const absl::Status error(static_cast<absl::StatusCode>(reply.error().code()), reply.error().message());
    if (error.ok()) return absl::InternalError("the evaluation told an error that is none");
    if (reply.error().broken() || absl::IsInternal(error) || absl::IsUnknown(error)) child_.reset();
    return error;
  }

  absl::Status Died() {
    const ChildEnd end = child_->Wait();
    child_.reset();
    std::string text = absl::StrCat(
        end.out_of_memory ? "the evaluation ran out of memory and ended by " : "the evaluation died by ", end.how);
    if (!end.last_lines.empty()) absl::StrAppend(&text, "; its last lines:\n", end.last_lines);
    return end.out_of_memory ? absl::ResourceExhaustedError(text) : absl::InternalError(text);
  }

  absl::Status Hung() {
    child_->Kill();
    const ChildEnd end = child_->Wait();
    child_.reset();
    return absl::InternalError(absl::StrCat("the evaluation made no step for ", options_.hang_max.count() / 1000.0,
                                            " s and was killed", end.last_lines.empty() ? "" : "; its last lines:\n",
                                            end.last_lines));
  }

  const ChildTrialRunnerOptions options_;
  const std::atomic<bool>& stop_;
  std::unique_ptr<ChildProcess> child_;
  bool set_up_ = false;    // the child has its device
  int prepared_rows_ = 0;  // the child is prepared for task_ with that many rows; 0: it is not
  Task task_;
  int rows_max_ = 1;  // of the child to come or there: task_.batch_size, or fewer where memory ran out
  int64_t trial_ = -1;
};

}  // namespace

std::unique_ptr<ChildTrialRunner> MakeChildTrialRunner(ChildTrialRunnerOptions options, const std::atomic<bool>& stop) {
  return std::make_unique<Runner>(std::move(options), stop);
}

}  // namespace heterosis
