// SPDX-License-Identifier: Apache-2.0
// A run of the coordinator: builds every part, serves workers until the experiment ends or a signal comes.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace heterosis {

struct RunOptions {
  std::string config;
  std::string database;  // empty: NAME.db beside the current folder, NAME being the experiment's
  std::string listen;    // empty: 127.0.0.1:50551, or a free port where only local workers are used
  bool insecure = false;
  std::string tls_cert, tls_key, tls_client_ca;  // PEM files, as coordinator/service/server.h has them
  std::string token_file;                        // empty: the environment variable HETEROSIS_TOKENS, if it is there
  int local_workers = 0;
  std::string worker_program;  // empty: `worker` beside this program
  bool live_progress = false;
};

// OK: the experiment is done, or a SIGTERM or SIGINT ended the run with everything on disk. FAILED_PRECONDITION and
// INVALID_ARGUMENT: a usage or config error, nothing was started.
absl::Status RunCoordinator(const RunOptions& options);

}  // namespace heterosis
