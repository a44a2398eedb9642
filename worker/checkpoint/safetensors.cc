// SPDX-License-Identifier: Apache-2.0
// Implements safetensors.h.
#include "worker/checkpoint/safetensors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "common/base/json.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

static_assert(std::endian::native == std::endian::little, "the file's numbers are read and written as they stand");

constexpr uint64_t kHeaderBytesMax = 100'000'000;
constexpr JsonLimits kHeaderLimits{.depth_max = 8, .values_max = 3'000'000};

std::optional<uint64_t> ElementBytes(std::string_view dtype) {
  constexpr std::array<std::pair<std::string_view, uint64_t>, 18> kSizes{{{"F32", 4},
                                                                          {"BF16", 2},
                                                                          {"F16", 2},
                                                                          {"F64", 8},
                                                                          {"I64", 8},
                                                                          {"U64", 8},
                                                                          {"I32", 4},
                                                                          {"U32", 4},
                                                                          {"I16", 2},
                                                                          {"U16", 2},
                                                                          {"I8", 1},
                                                                          {"U8", 1},
                                                                          {"BOOL", 1},
                                                                          {"F8_E5M2", 1},
                                                                          {"F8_E4M3", 1},
                                                                          {"F8_E8M0", 1},
                                                                          {"F8_E4M3FNUZ", 1},
                                                                          {"C64", 8}}};
  for (const auto& [name, size] : kSizes) {
    if (name == dtype) return size;
  }
  return std::nullopt;
}

absl::StatusOr<uint64_t> Unsigned(const Json& value, std::string_view what) {
  if (!value.is_number_unsigned()) {
    return absl::InvalidArgumentError(absl::StrCat(std::string(what), " must be whole numbers >= 0"));
  }
  return value.get<uint64_t>();
}

struct Extent {
  uint64_t begin = 0;
  uint64_t end = 0;
};

absl::StatusOr<Extent> ReadOffsets(const Json& info) {
  const Json* offsets = JsonFind(info, "data_offsets");
  if (offsets == nullptr || !offsets->is_array() || offsets->size() != 2) {
    return absl::InvalidArgumentError("\"data_offsets\" must be two numbers");
  }
  Extent extent;
  ASSIGN_OR_RETURN(extent.begin, Unsigned((*offsets)[0], "\"data_offsets\""));
  ASSIGN_OR_RETURN(extent.end, Unsigned((*offsets)[1], "\"data_offsets\""));
  if (extent.end < extent.begin) return absl::InvalidArgumentError("\"data_offsets\" end before they begin");
  return extent;
}

// Fills the entry's dtype and shape and checks them against the number of bytes.
absl::Status ReadShape(const Json& info, const Extent& extent, SafetensorsEntry* entry) {
  ASSIGN_OR_RETURN(entry->dtype, JsonString(info, "dtype"));
  const std::optional<uint64_t> element = ElementBytes(entry->dtype);
  if (!element) return absl::InvalidArgumentError(absl::StrCat("unknown dtype \"", entry->dtype, "\""));
  const Json* shape = JsonFind(info, "shape");
  if (shape == nullptr || !shape->is_array()) return absl::InvalidArgumentError("\"shape\" must be a list of numbers");
  uint64_t bytes = *element;
  for (const Json& extent_json : *shape) {
    ASSIGN_OR_RETURN(const uint64_t size, Unsigned(extent_json, "the sizes of \"shape\""));
    if (size > static_cast<uint64_t>(INT64_MAX) || __builtin_mul_overflow(bytes, size, &bytes)) {
      return absl::InvalidArgumentError("the size that \"shape\" gives overflows 64 bits");
    }
    entry->shape.push_back(static_cast<int64_t>(size));
  }
  if (bytes != extent.end - extent.begin) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape and dtype need ", bytes, " bytes, the offsets span ", extent.end - extent.begin));
  }
  return absl::OkStatus();
}

absl::Status CheckMetadata(const Json& metadata) {
  bool good = metadata.is_object();
  if (good) {
    for (const auto& [key, value] : metadata.items()) good = good && value.is_string();
  }
  return good ? absl::OkStatus() : absl::InvalidArgumentError("\"__metadata__\" must hold texts only");
}

absl::StatusOr<std::vector<SafetensorsEntry>> ReadEntries(const Json& header, std::span<const std::byte> data) {
  std::vector<std::pair<Extent, SafetensorsEntry>> found;
  for (const auto& [name, info] : header.items()) {
    if (name == "__metadata__") {
      RETURN_IF_ERROR(CheckMetadata(info));
      continue;
    }
    absl::StatusOr<Extent> extent = ReadOffsets(info);
    if (!extent.ok()) return Annotate(extent.status(), name);
    SafetensorsEntry entry{.name = name, .dtype = {}, .shape = {}, .bytes = {}};
    const absl::Status shape = ReadShape(info, *extent, &entry);
    if (!shape.ok()) return Annotate(shape, name);
    found.emplace_back(*extent, std::move(entry));
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.begin, a.first.end) < std::pair(b.first.begin, b.first.end);
  });
  uint64_t position = 0;
  std::vector<SafetensorsEntry> entries;
  for (auto& [extent, entry] : found) {
    if (extent.begin != position || extent.end > data.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          entry.name, ": its bytes ", extent.begin, " to ", extent.end,
          extent.begin != position ? " do not follow the tensor before it (at " : " pass the end of the file (at ",
          extent.begin != position ? position : data.size(), ")"));
    }
    entry.bytes = data.subspan(extent.begin, extent.end - extent.begin);
    position = extent.end;
    entries.push_back(std::move(entry));
  }
  if (position != data.size()) {
    return absl::InvalidArgumentError(absl::StrCat(data.size() - position, " bytes after the last tensor"));
  }
  return entries;
}

absl::StatusOr<std::vector<SafetensorsEntry>> Parse(std::span<const std::byte> file) {
  uint64_t header_bytes = 0;
  if (file.size() < sizeof(header_bytes)) return absl::InvalidArgumentError("too short for a safetensors file");
  std::memcpy(&header_bytes, file.data(), sizeof(header_bytes));
  if (header_bytes > kHeaderBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a header of ", header_bytes, " bytes is above the format's 100 MB"));
  }
  if (header_bytes > file.size() - sizeof(header_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("the header's ", header_bytes, " bytes pass the end of the file"));
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + sizeof(header_bytes), header_bytes);
  if (!text.starts_with('{')) return absl::InvalidArgumentError("the header does not start with '{'");
  absl::StatusOr<Json> header = ParseJson(text, kHeaderLimits);
  if (!header.ok()) return Annotate(header.status(), "header");
  return ReadEntries(*header, file.subspan(sizeof(header_bytes) + header_bytes));
}

const char* FormatName(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "F32";
    case DType::kBFloat16:
      return "BF16";
    case DType::kFloat16:
      return "F16";
  }
  return "";
}

size_t Bytes(const ConstTensor& tensor) {
  return static_cast<size_t>(ElementCount(tensor.shape)) * SizeBytes(tensor.dtype);
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), std::min(bytes.size(), size_t{1} << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot write"));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteParts(int fd, const std::string& path, std::string_view header,
                        std::span<const ConstTensor> tensors) {
  const uint64_t header_bytes = header.size();
  RETURN_IF_ERROR(WriteAll(fd, {reinterpret_cast<const char*>(&header_bytes), sizeof(header_bytes)}, path));
  RETURN_IF_ERROR(WriteAll(fd, header, path));
  for (const ConstTensor& tensor : tensors) {
    RETURN_IF_ERROR(WriteAll(fd, {reinterpret_cast<const char*>(tensor.data), Bytes(tensor)}, path));
  }
  if (fsync(fd) != 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot sync"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<SafetensorsEntry>> ParseSafetensors(std::span<const std::byte> file,
                                                               const std::string& path) {
  absl::StatusOr<std::vector<SafetensorsEntry>> entries = Parse(file);
  if (!entries.ok()) return Annotate(entries.status(), path);
  return entries;
}

absl::StatusOr<ConstTensor> WeightOf(const SafetensorsEntry& entry) {
  ConstTensor tensor{.name = entry.name, .shape = entry.shape, .dtype = DType::kFloat32, .data = entry.bytes.data()};
  if (entry.dtype == "BF16") {
    tensor.dtype = DType::kBFloat16;
  } else if (entry.dtype == "F16") {
    tensor.dtype = DType::kFloat16;
  } else if (entry.dtype != "F32") {
    return absl::UnimplementedError(
        absl::StrCat(entry.name, ": dtype ", entry.dtype, " is not supported for weights; supported: F32, BF16, F16"));
  }
  if (reinterpret_cast<uintptr_t>(entry.bytes.data()) % SizeBytes(tensor.dtype) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        entry.name,
        ": its bytes do not begin at a multiple of its element size; save the model again with safetensors"));
  }
  return tensor;
}

absl::Status WriteSafetensors(const std::string& path, std::span<const ConstTensor> tensors) {
  std::vector<ConstTensor> ordered(tensors.begin(), tensors.end());
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return SizeBytes(a.dtype) > SizeBytes(b.dtype); });
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  size_t position = 0;
  for (const ConstTensor& tensor : ordered) {
    const size_t end = position + Bytes(tensor);
    header[tensor.name] = {
        {"dtype", FormatName(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text = JsonText(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot create"));
  const absl::Status status = WriteParts(fd, path, text, ordered);
  if (close(fd) != 0 && status.ok()) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot close"));
  return status;
}

}  // namespace heterosis
