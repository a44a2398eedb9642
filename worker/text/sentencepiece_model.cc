// SPDX-License-Identifier: Apache-2.0
// Implements sentencepiece_model.h. Field numbers are those of google/sentencepiece, src/sentencepiece_model.proto.
#include "worker/text/sentencepiece_model.h"

#include <cmath>

#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/wire_reader.h"

namespace heterosis {
namespace {

constexpr uint64_t kModelTypeUnigram = 1;  // the default of the format
constexpr uint64_t kModelTypeBpe = 2;

absl::Status WantKind(const WireField& field, WireField::Kind kind, const char* name) {
  if (field.kind == kind) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, ": written as another kind of field"));
}

absl::Status ReadString(const WireField& field, const char* name, std::string& out) {
  RETURN_IF_ERROR(WantKind(field, WireField::Kind::kBytes, name));
  out = std::string(field.bytes);
  return absl::OkStatus();
}

absl::Status ReadBool(const WireField& field, const char* name, bool& out) {
  RETURN_IF_ERROR(WantKind(field, WireField::Kind::kVarint, name));
  out = field.integer != 0;
  return absl::OkStatus();
}

absl::Status ReadPiece(std::string_view message, SentencePiece& piece) {
  WireReader reader(message);
  WireField field;
  while (!reader.AtEnd()) {
    RETURN_IF_ERROR(reader.Next(field));
    if (field.number == 1) {
      RETURN_IF_ERROR(ReadString(field, "piece", piece.text));
    } else if (field.number == 2) {
      RETURN_IF_ERROR(WantKind(field, WireField::Kind::kFixed32, "score"));
      piece.score = field.AsFloat();
    } else if (field.number == 3) {
      RETURN_IF_ERROR(WantKind(field, WireField::Kind::kVarint, "type"));
      if (field.integer < 1 || field.integer > 6) return absl::InvalidArgumentError("type: unknown");
      piece.type = static_cast<PieceType>(field.integer);
    }
  }
  if (piece.text.empty()) return absl::InvalidArgumentError("is empty");
  if (!IsValidUtf8(piece.text)) return absl::InvalidArgumentError("is not UTF-8");
  if (!std::isfinite(piece.score)) return absl::InvalidArgumentError("has a score that is no number");
  return absl::OkStatus();
}

absl::Status ReadTrainerSpec(std::string_view message, SentencePieceModel& model) {
  WireReader reader(message);
  WireField field;
  uint64_t model_type = kModelTypeUnigram;
  bool whitespace_as_suffix = false;
  while (!reader.AtEnd()) {
    RETURN_IF_ERROR(reader.Next(field));
    if (field.number == 3) {
      RETURN_IF_ERROR(WantKind(field, WireField::Kind::kVarint, "model_type"));
      model_type = field.integer;
    } else if (field.number == 24) {
      RETURN_IF_ERROR(ReadBool(field, "treat_whitespace_as_suffix", whitespace_as_suffix));
    } else if (field.number == 35) {
      RETURN_IF_ERROR(ReadBool(field, "byte_fallback", model.byte_fallback));
    } else if (field.number == 44) {
      RETURN_IF_ERROR(ReadString(field, "unk_surface", model.unknown_surface));
    }
  }
  if (model_type != kModelTypeBpe) {
    return absl::UnimplementedError("model_type: only BPE is supported; supply a tokenizer.json of type BPE instead");
  }
  if (whitespace_as_suffix) return absl::UnimplementedError("treat_whitespace_as_suffix: is not supported");
  return absl::OkStatus();
}

absl::Status ReadNormalizerSpec(std::string_view message, SentencePieceModel& model) {
  WireReader reader(message);
  WireField field;
  while (!reader.AtEnd()) {
    RETURN_IF_ERROR(reader.Next(field));
    if (field.number == 2) {
      RETURN_IF_ERROR(ReadString(field, "precompiled_charsmap", model.charsmap));
    } else if (field.number == 3) {
      RETURN_IF_ERROR(ReadBool(field, "add_dummy_prefix", model.add_dummy_prefix));
    } else if (field.number == 4) {
      RETURN_IF_ERROR(ReadBool(field, "remove_extra_whitespaces", model.remove_extra_whitespaces));
    } else if (field.number == 5) {
      RETURN_IF_ERROR(ReadBool(field, "escape_whitespaces", model.escape_whitespaces));
    }
  }
  return absl::OkStatus();
}

absl::Status RefuseDenormalizer(std::string_view message) {
  WireReader reader(message);
  WireField field;
  while (!reader.AtEnd()) {
    RETURN_IF_ERROR(reader.Next(field));
    if (field.number == 2 && !field.bytes.empty()) return absl::UnimplementedError("rules are not supported");
  }
  return absl::OkStatus();
}

// What must hold between the pieces and the settings.
absl::Status CheckModel(SentencePieceModel& model, bool trainer_seen) {
  if (!trainer_seen) return absl::UnimplementedError("trainer_spec: is missing, so the model is not known to be BPE");
  int byte_pieces = 0;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const PieceType type = model.pieces[id].type;
    byte_pieces += type == PieceType::kByte;
    if (type != PieceType::kUnknown) continue;
    if (model.unknown_id >= 0) return absl::InvalidArgumentError("pieces: two are of the type UNKNOWN");
    model.unknown_id = static_cast<int32_t>(id);
  }
  if (model.unknown_id < 0) return absl::InvalidArgumentError("pieces: none is of the type UNKNOWN");
  if (model.byte_fallback ? byte_pieces != 256 : byte_pieces != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("pieces: ", byte_pieces, " byte pieces do not go with byte_fallback = ", model.byte_fallback));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SentencePieceModel> ParseSentencePieceModel(std::string_view message) {
  SentencePieceModel model;
  WireReader reader(message);
  WireField field;
  bool trainer_seen = false;
  while (!reader.AtEnd()) {
    RETURN_IF_ERROR(reader.Next(field));
    if (field.number < 1 || field.number > 5 || field.number == 4) continue;  // 4: self test data
    RETURN_IF_ERROR(WantKind(field, WireField::Kind::kBytes, "a part of the model"));
    if (field.number == 1) {
      const absl::Status status = ReadPiece(field.bytes, model.pieces.emplace_back());
      if (!status.ok()) return Annotate(status, absl::StrCat("pieces[", model.pieces.size() - 1, "]"));
    } else if (field.number == 2) {
      trainer_seen = true;
      RETURN_IF_ERROR(Annotate(ReadTrainerSpec(field.bytes, model), "trainer_spec"));
    } else if (field.number == 3) {
      RETURN_IF_ERROR(Annotate(ReadNormalizerSpec(field.bytes, model), "normalizer_spec"));
    } else {
      RETURN_IF_ERROR(Annotate(RefuseDenormalizer(field.bytes), "denormalizer_spec"));
    }
  }
  RETURN_IF_ERROR(CheckModel(model, trainer_seen));
  return model;
}

}  // namespace heterosis
