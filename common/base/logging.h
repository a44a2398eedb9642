// SPDX-License-Identifier: Apache-2.0
// The log of a process: lines on standard error, as text or as one JSON object a line (spdlog underneath).
#pragma once

#include <string>
#include <string_view>

namespace heterosis {

enum class LogFormat { kText, kJson };

// Call once at the start of main; without it, text is written. `program` stands in every JSON line.
void InitLogging(std::string_view program, LogFormat format, bool verbose);

// Thread-safe.
void LogDebug(std::string_view message);
void LogInfo(std::string_view message);
void LogInfoOnce(std::string_view message);  // not again in this process; for few messages
void LogWarning(std::string_view message);
void LogError(std::string_view message);

}  // namespace heterosis
