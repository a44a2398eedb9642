// SPDX-License-Identifier: Apache-2.0
// The program `coordinator`: its command line (DESIGN.md section 4, docs/cli.md).
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "common/base/exit_code.h"
#include "common/base/logging.h"
#include "common/base/names.h"
#include "common/base/status.h"
#include "coordinator/app.h"
#include "coordinator/cli/best.h"
#include "coordinator/cli/check.h"
#include "coordinator/cli/check_database.h"
#include "coordinator/cli/export.h"
#include "coordinator/cli/failed.h"
#include "coordinator/cli/format.h"
#include "coordinator/cli/show.h"
#include "coordinator/service/admin_client.h"

namespace heterosis {
namespace {

// Everything that the command line can set.
struct Arguments {
  RunOptions run;
  std::string log_format = "text";
  bool verbose = false;
  std::string check_config;
  std::string check_database;
  BestOptions best;
  std::string best_format = "table";
  bool best_failed = false;
  ShowOptions show;
  std::string show_format = "table";
  ExportOptions export_options;
  AdminTarget target;
  std::string progress_format = "text";
};

constexpr std::array kFormats = {Named<Format>{Format::kTable, "table"}, Named<Format>{Format::kJson, "json"},
                                 Named<Format>{Format::kCsv, "csv"}};

void AddRun(CLI::App& app, Arguments& arguments) {
  RunOptions& run = arguments.run;
  app.add_option("--config", run.config, "The experiment's YAML file")->type_name("FILE");
  app.add_option("--db", run.database, "The trial database; default: NAME.db. An experiment in it is resumed")
      ->type_name("FILE");
  app.add_option("--listen", run.listen,
                 "Where workers dial in; default 127.0.0.1:50551, or a free port with --local-workers")
      ->type_name("ADDR:PORT");
  app.add_option("--tls-cert", run.tls_cert, "Use TLS: the certificate (chain) of this coordinator")->type_name("FILE");
  app.add_option("--tls-key", run.tls_key, "Its private key; nobody else may read the file")->type_name("FILE");
  app.add_option("--tls-client-ca", run.tls_client_ca,
                 "Let in only clients with a certificate of this authority (mutual TLS)")
      ->type_name("FILE");
  app.add_option("--token-file", run.token_file,
                 "Tokens, a line `worker|reader|admin TOKEN` each; default: $HETEROSIS_TOKENS")
      ->type_name("FILE");
  app.add_flag("--insecure", run.insecure,
               "Permit --listen beyond this machine without TLS or tokens: anyone on that network may join");
  app.add_option("--local-workers", run.local_workers, "Start and supervise this many CPU workers here")
      ->check(CLI::Range(0, 256))
      ->type_name("N");
  app.add_option("--worker-program", run.worker_program, "The worker to start; default: `worker` beside this program")
      ->type_name("FILE");
  app.add_option("--log-format", arguments.log_format, "text or json, on standard error")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_flag("-v,--verbose", arguments.verbose, "Log details");
}

CLI::App* AddCheck(CLI::App& app, Arguments& arguments) {
  CLI::App* check = app.add_subcommand(
      "check", "Read a config and all it names, or every row of a trial database; run and change nothing");
  auto* which = check->add_option_group("what", "One of");
  which->add_option("--config", arguments.check_config, "The experiment's YAML file")->type_name("FILE");
  which->add_option("--db", arguments.check_database, "The trial database")->type_name("FILE");
  which->require_option(1);
  return check;
}

CLI::App* AddBest(CLI::App& app, Arguments& arguments) {
  CLI::App* best = app.add_subcommand("best", "Print the parents and the best genomes");
  best->add_option("--db", arguments.best.database, "The trial database")->required()->type_name("FILE");
  auto* top = best->add_option("--top", arguments.best.top, "How many genomes")
                  ->check(CLI::Range(1, 1'000'000))
                  ->capture_default_str();
  best->add_flag("--failed", arguments.best_failed, "Instead: all trials that failed or are infeasible, why and where")
      ->excludes(top);
  best->add_option("--format", arguments.best_format, "How to print")->check(CLI::IsMember({"table", "json", "csv"}));
  return best;
}

CLI::App* AddShow(CLI::App& app, Arguments& arguments) {
  CLI::App* show = app.add_subcommand("show", "Print all about one trial");
  show->add_option("--db", arguments.show.database, "The trial database")->required()->type_name("FILE");
  show->add_option("--trial", arguments.show.trial, "Its id, as `best` prints it")->required()->type_name("ID");
  show->add_option("--format", arguments.show_format, "How to print")->check(CLI::IsMember({"table", "json"}));
  return show;
}

CLI::App* AddExport(CLI::App& app, Arguments& arguments) {
  ExportOptions& options = arguments.export_options;
  CLI::App* command = app.add_subcommand("export", "Write a trial's merge for other tools");
  command->add_option("--db", options.database, "The trial database")->required()->type_name("FILE");
  command->add_option("--trial", options.trial, "Its id, as `best` prints it")->required()->type_name("ID");
  command->add_option("--format", options.format, "mergekit: a mergekit YAML file; recipe: our canonical JSON")
      ->required()
      ->check(CLI::IsMember({"mergekit", "recipe"}));
  command->add_option("--out", options.out, "The file to write")->required()->type_name("PATH");
  return command;
}

void AddTarget(CLI::App& command, AdminTarget& target) {
  command.add_option("--connect", target.address, "Where the coordinator listens")
      ->capture_default_str()
      ->type_name("HOST:PORT");
  command.add_option("--tls-ca", target.security.tls_ca, "Use TLS: the authority that vouches for the coordinator")
      ->type_name("FILE");
  command.add_option("--tls-cert", target.security.tls_cert, "The certificate to show to it")->type_name("FILE");
  command.add_option("--tls-key", target.security.tls_key, "Its private key")->type_name("FILE");
  command.add_option("--token-file", target.security.token_file, "The file of the token; default: $HETEROSIS_TOKEN")
      ->type_name("FILE");
  command.add_flag("--insecure", target.security.insecure, "Permit another machine without TLS");
}

CLI::App* AddProgress(CLI::App& app, Arguments& arguments) {
  CLI::App* command = app.add_subcommand("progress", "Ask a running coordinator how far it has come");
  AddTarget(*command, arguments.target);
  command->add_option("--format", arguments.progress_format, "How to print")->check(CLI::IsMember({"text", "json"}));
  return command;
}

CLI::App* AddStop(CLI::App& app, Arguments& arguments) {
  CLI::App* command = app.add_subcommand("stop", "End a running coordinator in order, as SIGTERM does");
  AddTarget(*command, arguments.target);
  return command;
}

absl::StatusOr<std::string> RunBest(Arguments& arguments) {
  ASSIGN_OR_RETURN(arguments.best.format, ValueIn(kFormats, "format", arguments.best_format));
  if (arguments.best_failed) return Failed(arguments.best.database, arguments.best.format);
  return Best(arguments.best);
}

absl::StatusOr<std::string> RunShow(Arguments& arguments) {
  ASSIGN_OR_RETURN(arguments.show.format, ValueIn(kFormats, "format", arguments.show_format));
  return Show(arguments.show);
}

int Main(int argc, char** argv) {
  umask(077);  // what is written here is for its owner: databases, logs, exports
  CLI::App app("Evolves merges of fine-tuned language models. Without a command: runs an experiment, or resumes it.",
               "coordinator");
  app.set_version_flag("--version", "heterosis coordinator " HETEROSIS_VERSION);
  Arguments arguments;
  AddRun(app, arguments);
  CLI::App* check = AddCheck(app, arguments);
  CLI::App* best = AddBest(app, arguments);
  CLI::App* show = AddShow(app, arguments);
  CLI::App* export_command = AddExport(app, arguments);
  CLI::App* progress = AddProgress(app, arguments);
  CLI::App* stop = AddStop(app, arguments);
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kBadUsage;
  }
  const bool json_log = arguments.log_format == "json";
  InitLogging("coordinator", json_log ? LogFormat::kJson : LogFormat::kText, arguments.verbose);
  if (*check && !arguments.check_database.empty()) return Print(CheckDatabase(arguments.check_database));
  if (*check) return Print(Check(arguments.check_config));
  if (*best) return Print(RunBest(arguments));
  if (*show) return Print(RunShow(arguments));
  if (*progress) return Print(AskProgress(arguments.target, arguments.progress_format == "json"));
  if (*stop) return Tell(AskToStop(arguments.target));
  if (*export_command) return Tell(Export(arguments.export_options));
  if (arguments.run.config.empty()) {
    std::fprintf(stderr, "error: --config FILE is missing (coordinator --help lists the commands)\n");
    return kBadUsage;
  }
  arguments.run.live_progress = !json_log && isatty(STDERR_FILENO) != 0;
  return Tell(RunCoordinator(arguments.run));
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  return heterosis::Main(argc, argv);
}
