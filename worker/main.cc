// SPDX-License-Identifier: Apache-2.0
// The program `worker`: its command line (DESIGN.md section 4, docs/cli.md).
#include <sys/stat.h>

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/base/exit_code.h"
#include "common/base/file.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "worker/app.h"
#include "worker/cli/evaluate.h"
#include "worker/cli/generate.h"
#include "worker/cli/merge.h"

namespace heterosis {
namespace {

// Everything that the command line can set.
struct Arguments {
  int gpu = -1;
  bool cpu = false;
  int threads = 0;
  std::string log_format = "text";
  bool verbose = false;
  std::vector<std::string> models;        // NAME=FOLDER
  std::vector<std::string> merge_models;  // those after `merge`
  std::string models_dir;
  WorkOptions work;
  MergeCommand merge;
  GenerateCommand generate;
  std::string dtype = "float32";
  std::string generate_format = "text";
  EvaluateCommand evaluate;
  std::string split = "test";
  std::string evaluate_format = "text";
};

absl::StatusOr<Device> OpenDevice(const Arguments& arguments) {
  if (arguments.cpu && arguments.gpu >= 0) return absl::InvalidArgumentError("give --gpu N or --cpu, not both");
  if (arguments.gpu >= 0) return OpenCuda(arguments.gpu, arguments.threads);
  return OpenCpu(arguments.threads);
}

absl::StatusOr<ModelFolders> Folders(const Arguments& arguments) {
  ModelFolders folders;
  if (!arguments.models_dir.empty()) {
    absl::StatusOr<std::vector<std::string>> names = ListFolder(arguments.models_dir);
    if (!names.ok()) return Annotate(names.status(), "--models-dir");
    for (const std::string& name : *names) {
      const std::string folder = absl::StrCat(arguments.models_dir, "/", name);
      if (IsDirectory(folder)) folders[name] = folder;
    }
  }
  std::vector<std::string> models = arguments.models;
  models.insert(models.end(), arguments.merge_models.begin(), arguments.merge_models.end());
  for (const std::string& model : models) {
    const size_t equals = model.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(absl::StrCat("--model ", model, ": write NAME=FOLDER"));
    }
    folders[model.substr(0, equals)] = model.substr(equals + 1);
  }
  return folders;
}

// The options below stand before a command or after it, in the help of either.
void AddDevice(CLI::App& app, Arguments& arguments) {
  app.add_option("--gpu", arguments.gpu, "Compute on this GPU")->check(CLI::NonNegativeNumber)->type_name("N");
  app.add_flag("--cpu", arguments.cpu, "Compute on the CPU");
  app.add_option("--threads", arguments.threads, "CPU threads; default: all")
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
}

void AddModels(CLI::App& app, Arguments& arguments, std::vector<std::string>& models) {
  app.add_option("--model", models, "A model that recipes name, and where it is; may be repeated")
      ->type_name("NAME=FOLDER");
  app.add_option("--models-dir", arguments.models_dir, "A folder with a model folder for each name")
      ->type_name("FOLDER");
}

void AddLog(CLI::App& app, Arguments& arguments) {
  app.add_option("--log-format", arguments.log_format, "text or json, on standard error")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_flag("-v,--verbose", arguments.verbose, "Log details");
}

void AddWork(CLI::App& app, Arguments& arguments) {
  AddDevice(app, arguments);
  AddModels(app, arguments, arguments.models);
  app.add_option("--coordinator", arguments.work.coordinator, "Where the coordinator listens")
      ->default_val("127.0.0.1:50551")
      ->type_name("HOST:PORT");
  ClientSecurity& security = arguments.work.security;
  app.add_option("--tls-ca", security.tls_ca,
                 "Use TLS: the certificate of the authority that vouches for the coordinator")
      ->type_name("FILE");
  app.add_option("--tls-cert", security.tls_cert, "The certificate to show to the coordinator")->type_name("FILE");
  app.add_option("--tls-key", security.tls_key, "Its private key")->type_name("FILE");
  app.add_option("--token-file", security.token_file, "The file of the token; default: $HETEROSIS_TOKEN")
      ->type_name("FILE");
  app.add_flag("--insecure", security.insecure, "Permit a coordinator on another machine without TLS");
  app.add_option("--name", arguments.work.name, "This worker's name, for people; default: host and device");
  app.add_option("--spool", arguments.work.spool,
                 "Where finished shards wait while no coordinator takes them; none: nowhere")
      ->type_name("DIR");
  app.add_option("--hang-seconds", arguments.work.hang_seconds,
                 "Kill an evaluation that makes no step for so long; default: 900")
      ->check(CLI::Range(1, 7 * 24 * 3600))
      ->type_name("N");
  app.add_option("--evaluation-program", arguments.work.evaluation_program)->group("");  // for tests
  AddLog(app, arguments);
}

CLI::App* AddMerge(CLI::App& app, Arguments& arguments) {
  MergeCommand& merge = arguments.merge;
  CLI::App* command = app.add_subcommand("merge", "Write a merged model as a Hugging Face folder");
  command->add_option("--recipe", merge.recipe, "A recipe, as `coordinator export --format recipe` writes it")
      ->type_name("FILE");
  command->add_option("--mergekit", merge.mergekit, "A mergekit YAML file in the `models:` form")->type_name("FILE");
  auto* database = command->add_option("--db", merge.database, "A trial database, with --trial")->type_name("FILE");
  command->add_option("--trial", merge.trial, "The trial's id, as `coordinator best` prints it")
      ->needs(database)
      ->type_name("ID");
  database->needs(command->get_option("--trial"));
  command->add_option("--out", merge.out, "The folder to write; must be new or empty")->required()->type_name("DIR");
  AddModels(*command, arguments, arguments.merge_models);
  AddDevice(*command, arguments);
  AddLog(*command, arguments);
  return command;
}

CLI::App* AddGenerate(CLI::App& app, Arguments& arguments) {
  GenerateCommand& generate = arguments.generate;
  CLI::App* command = app.add_subcommand("generate", "Continue prompts greedily with a model on disk");
  command->add_option("--model", generate.model, "A Hugging Face folder")->required()->type_name("DIR");
  command->add_option("--prompt", generate.prompt, "The prompt");
  command->add_option("--prompts", generate.prompts_file, "Or a file of JSON lines with the key \"prompt\"")
      ->type_name("FILE");
  command->add_option("--max-new-tokens", generate.task.max_new_tokens, "Tokens at most")
      ->default_val(256)
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--stop", generate.task.stop, "A text that ends an answer; may be repeated");
  command
      ->add_option("--repetition-window", generate.task.repetition_window,
                   "End answers that loop over this many tokens; 0: never")
      ->check(CLI::Range(0, 4096));
  command->add_option("--batch-size", generate.task.batch_size, "Rows decoded together at most")
      ->default_val(64)
      ->check(CLI::Range(1, 65536));
  command->add_option("--dtype", arguments.dtype, "f32 or bf16, of decoding")
      ->check(CLI::IsMember({"f32", "bf16", "float32", "bfloat16"}))
      ->capture_default_str();
  command->add_option("--format", arguments.generate_format, "text or json")->check(CLI::IsMember({"text", "json"}));
  AddDevice(*command, arguments);
  AddLog(*command, arguments);
  return command;
}

CLI::App* AddEvaluate(CLI::App& app, Arguments& arguments) {
  EvaluateCommand& evaluate = arguments.evaluate;
  CLI::App* command = app.add_subcommand("evaluate", "Score a model on disk on a split of an experiment's task");
  command->add_option("--model", evaluate.model, "A Hugging Face folder")->required()->type_name("DIR");
  command->add_option("--config", evaluate.config, "The experiment's YAML file")->required()->type_name("FILE");
  command->add_option("--split", arguments.split, "search, validation or test")
      ->check(CLI::IsMember({"search", "validation", "test"}))
      ->capture_default_str();
  command->add_option("--format", arguments.evaluate_format, "text or json")->check(CLI::IsMember({"text", "json"}));
  AddDevice(*command, arguments);
  AddLog(*command, arguments);
  return command;
}

absl::StatusOr<std::string> RunGenerate(Arguments& arguments) {
  ASSIGN_OR_RETURN(arguments.generate.device, OpenDevice(arguments));
  const bool bf16 = arguments.dtype == "bf16" || arguments.dtype == "bfloat16";
  arguments.generate.task.compute_dtype = bf16 ? DType::kBFloat16 : DType::kFloat32;
  arguments.generate.json = arguments.generate_format == "json";
  return GenerateTexts(arguments.generate);
}

absl::StatusOr<std::string> RunEvaluate(Arguments& arguments) {
  ASSIGN_OR_RETURN(arguments.evaluate.device, OpenDevice(arguments));
  ASSIGN_OR_RETURN(arguments.evaluate.split, SplitFromName(arguments.split));
  arguments.evaluate.language_model = FindLanguageModel();
  arguments.evaluate.json = arguments.evaluate_format == "json";
  return EvaluateModel(arguments.evaluate);
}

// NaN among a model's numbers is a failure of the command, not a damaged file.
absl::StatusOr<std::string> Computed(absl::StatusOr<std::string> text) {
  if (absl::IsDataLoss(text.status())) return absl::InternalError(text.status().message());
  return text;
}

absl::Status RunMerge(Arguments& arguments) {
  ASSIGN_OR_RETURN(const Device device, OpenDevice(arguments));
  ASSIGN_OR_RETURN(arguments.merge.models, Folders(arguments));
  arguments.merge.threads = device.threads;
  return MergeToFolder(arguments.merge);
}

absl::Status RunWork(Arguments& arguments) {
  if (!arguments.cpu && arguments.gpu < 0)
    return absl::InvalidArgumentError("give --gpu N or --cpu (worker --help lists the commands)");
  if (arguments.cpu && arguments.gpu >= 0) return absl::InvalidArgumentError("give --gpu N or --cpu, not both");
  EvaluationSetup& setup = arguments.work.setup;
  setup.gpu = arguments.gpu;
  setup.threads = arguments.threads;
  ASSIGN_OR_RETURN(setup.models, Folders(arguments));
  setup.language_model = FindLanguageModel();
  setup.log_json = arguments.log_format == "json";
  setup.log_verbose = arguments.verbose;
  return Work(arguments.work);
}

int Main(int argc, char** argv) {
  umask(077);  // what is written here is for its owner: models, logs
  CLI::App app("Merges, decodes and scores for a coordinator. With a command: does one such thing by itself.",
               "worker");
  app.set_version_flag("--version", "heterosis worker " HETEROSIS_VERSION);
  Arguments arguments;
  AddWork(app, arguments);
  CLI::App* merge = AddMerge(app, arguments);
  CLI::App* generate = AddGenerate(app, arguments);
  CLI::App* evaluate = AddEvaluate(app, arguments);
  CLI::App* evaluation = app.add_subcommand(kEvaluationCommand)->group("");  // in no help
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kBadUsage;
  }
  InitLogging("worker", arguments.log_format == "json" ? LogFormat::kJson : LogFormat::kText, arguments.verbose);
  if (*evaluation) return Tell(EvaluateForParent());
  if (*merge) return Tell(RunMerge(arguments));
  if (*generate) return Print(Computed(RunGenerate(arguments)));
  if (*evaluate) return Print(Computed(RunEvaluate(arguments)));
  return Tell(RunWork(arguments));
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  return heterosis::Main(argc, argv);
}
