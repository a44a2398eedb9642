// SPDX-License-Identifier: Apache-2.0
// Implements model_card.h.
#include "worker/cli/model_card.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/genome/dfs_space.h"
#include "worker/checkpoint/path_config.h"
#include "worker/evaluate/parts_merger.h"

namespace heterosis {
namespace {

bool UsesRandomMasks(const Recipe& recipe) {
  return recipe.method == MergeMethod::kDareTies || recipe.method == MergeMethod::kDareLinear;
}

std::string MergeTable(const Recipe& recipe) {
  std::string text = absl::StrCat("| | |\n|---|---|\n| method | `", std::string(Name(recipe.method)), "` |\n");
  if (!recipe.base.empty()) absl::StrAppend(&text, "| base | ", recipe.base, " |\n");
  absl::StrAppend(&text, "| merged | ", absl::StrJoin(recipe.sources, ", "), " |\n| tokenizer of | ", recipe.tokenizer,
                  " |\n| arithmetic in | ", std::string(Name(recipe.dtype)), " |\n");
  return text;
}

std::string PathTable(const Recipe& recipe) {
  std::string text = "| | |\n|---|---|\n";
  for (size_t part = 0; part < recipe.parts.size(); ++part) {
    const Recipe& merge = recipe.parts[part];
    absl::StrAppend(&text, "| layers ", std::string(1, static_cast<char>('A' + part % 26)), " | ");
    if (merge.base.empty() && merge.sources.size() == 1) {
      absl::StrAppend(&text, merge.sources[0], " |\n");
    } else {
      absl::StrAppend(&text, "`", std::string(Name(merge.method)), "` of ", absl::StrJoin(ParentsOf(merge), ", "),
                      " |\n");
    }
  }
  absl::StrAppend(&text, "| embeddings, norm, head | of A |\n| tokenizer of | ", recipe.tokenizer, " |\n| path | ",
                  recipe.path.size(), " hops: `", PathText(recipe), "` |\n");
  const bool scaled = std::any_of(recipe.path.begin(), recipe.path.end(), [](const Hop& h) { return h.scale != 1; });
  if (scaled) {
    absl::StrAppend(&text, "| a scale multiplies | ",
                    recipe.scale_applies_to == ScaleTarget::kStream
                        ? "the hidden state that enters its hop"
                        : "what the MLP of the hop before added (the first one: the whole state)",
                    " |\n");
  }
  return text;
}

}  // namespace

std::vector<std::string> ParentsOf(const Recipe& recipe) {
  std::vector<std::string> parents;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(parents.begin(), parents.end(), name) == parents.end()) parents.push_back(name);
  };
  for (const Recipe& part : PartsOf(recipe)) {
    add(part.base);
    for (const std::string& source : part.sources) add(source);
  }
  return parents;
}

std::string DescribeMerge(const MergePlan& plan, const std::map<std::string, std::string>& files) {
  const Recipe& recipe = plan.recipe;
  std::string text = absl::StrCat("## How it was made\n\n", plan.origin, plan.origin.empty() ? "" : "\n\n",
                                  recipe.is_path() ? PathTable(recipe) : MergeTable(recipe));
  absl::StrAppend(&text, "| stored as | ", std::string(Name(recipe.out_dtype)), " |\n\n`", kRecipeFile, "` has every ",
                  recipe.is_path() ? "weight and hop" : "weight",
                  ". The same files of the parents and `worker merge --recipe ", kRecipeFile,
                  "` give the same bytes again.\n");
  if (files.contains(kModelingFile)) {
    absl::StrAppend(
        &text, "\nThe scales need `", kModelingFile,
        "`: load the model by `AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)`, or run "
        "it by `worker generate --model folder`. A layer that comes several times is stored once.\n");
  }
  if (files.contains(kMergekitFile)) {
    absl::StrAppend(&text, "`", kMergekitFile, "` says the same to mergekit.");
    if (UsesRandomMasks(recipe))
      text += " Its random masks differ from ours, so that its result is akin but not equal.";
    text += "\n";
  }
  return text;
}

}  // namespace heterosis
