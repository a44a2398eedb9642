// SPDX-License-Identifier: Apache-2.0
// Implements logging.h; the only file that includes spdlog.
#include "common/base/logging.h"

#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/base/json.h"
#include "common/base/mutex.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace heterosis {
namespace {

// %v as a JSON string, so that a quote or a line break in a message cannot break the line.
class JsonMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string quoted = JsonText(Json(std::string(message.payload.data(), message.payload.size())));
    out.append(quoted.data(), quoted.data() + quoted.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessage>(); }
};

// For people. Others' words may stand in it (a worker's name, a dead child's last lines): they get no line that could
// pass for one of ours, and nothing that a terminal obeys.
class TextMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    constexpr std::string_view kNewLine = "\n    ";
    for (const char byte : message.payload) {
      if (byte == '\n') {
        out.append(kNewLine.data(), kNewLine.data() + kNewLine.size());
      } else {
        out.push_back(absl::ascii_iscntrl(static_cast<unsigned char>(byte)) && byte != '\t' ? '?' : byte);
      }
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<TextMessage>(); }
};

spdlog::string_view_t View(std::string_view message) {
  return {message.data(), message.size()};
}

}  // namespace

void InitLogging(std::string_view program, LogFormat format, bool verbose) {
  auto logger =
      std::make_shared<spdlog::logger>(std::string(program), std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<JsonMessage>('*').add_flag<TextMessage>('~');
  formatter->set_pattern(format == LogFormat::kJson
                             ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","program":"%n","pid":%P,"level":"%l","message":%*})"
                             : "%H:%M:%S %^%L%$ %~");
  logger->set_formatter(std::move(formatter));
  logger->set_level(verbose ? spdlog::level::debug : spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void LogDebug(std::string_view message) {
  spdlog::default_logger_raw()->log(spdlog::level::debug, View(message));
}
void LogInfo(std::string_view message) {
  spdlog::default_logger_raw()->log(spdlog::level::info, View(message));
}
void LogInfoOnce(std::string_view message) {
  static Mutex mutex;
  static std::set<std::string, std::less<>> logged;
  {
    const MutexLock lock(mutex);
    if (!logged.emplace(message).second) return;
  }
  LogInfo(message);
}
void LogWarning(std::string_view message) {
  spdlog::default_logger_raw()->log(spdlog::level::warn, View(message));
}
void LogError(std::string_view message) {
  spdlog::default_logger_raw()->log(spdlog::level::err, View(message));
}

}  // namespace heterosis
