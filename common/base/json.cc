// SPDX-License-Identifier: Apache-2.0
// Implements json.h on nlohmann's SAX interface, whose plain parser accepts duplicate keys and any depth.
#include "common/base/json.h"

#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "common/base/file.h"
#include "common/base/status.h"
#include "common/base/utf8.h"

namespace heterosis {
namespace {

// Builds a Json value from SAX events; stops at the first limit that is passed.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t&) override { return Add(value); }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return Fail("binary values are not JSON"); }
  bool start_object(std::size_t) override { return Open(Json::object()); }
  bool start_array(std::size_t) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) return Fail(absl::StrCat("the key \"", name, "\" occurs twice"));
    name_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    message_ = RepairUtf8(absl::StrCat("byte ", position, ": ", error.what()));  // it quotes what it stumbled over
    return false;
  }

  const std::string& message() const { return message_; }
  Json Take() { return std::move(root_); }

 private:
  bool Fail(std::string message) {
    message_ = std::move(message);
    return false;
  }

  Json* Place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    // Appending to ordered_json's underlying vector; operator[] would search all earlier keys once more.
    auto& members = parent.get_ref<Json::object_t&>();
    static_cast<Json::object_t::Container&>(members).emplace_back(std::move(name_), std::move(value));
    return &members.back().second;
  }

  bool Add(Json value) {
    if (++values_ > limits_.values_max) return Fail(absl::StrCat("more than ", limits_.values_max, " values"));
    Place(std::move(value));
    return true;
  }

  bool Open(Json value) {
    if (open_.size() >= static_cast<size_t>(limits_.depth_max))
      return Fail(absl::StrCat("nested deeper than ", limits_.depth_max));
    if (++values_ > limits_.values_max) return Fail(absl::StrCat("more than ", limits_.values_max, " values"));
    open_.push_back(Place(std::move(value)));
    keys_.emplace_back();
    return true;
  }

  bool Close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  const JsonLimits limits_;
  Json root_;
  std::vector<Json*> open_;
  std::vector<std::set<std::string>> keys_;
  std::string name_;
  std::string message_;
  size_t values_ = 0;
};

absl::Status WrongType(std::string_view key, std::string_view wanted, const Json* found) {
  return absl::InvalidArgumentError(absl::StrCat("\"", std::string(key), "\" must be ", std::string(wanted),
                                                 ", but is ", found == nullptr ? "missing" : found->type_name()));
}

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text, const JsonLimits& limits) {
  Builder builder(limits);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) return absl::InvalidArgumentError(builder.message());
  return builder.Take();
}

absl::StatusOr<Json> ReadJsonFile(const std::string& path, const JsonLimits& limits) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  absl::StatusOr<Json> value = ParseJson(text, limits);
  if (!value.ok()) return Annotate(value.status(), path);
  return value;
}

std::string JsonText(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

const Json* JsonFind(const Json& value, std::string_view key) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(std::string(key));
  return found == value.end() ? nullptr : &*found;
}

absl::StatusOr<std::string> JsonString(const Json& value, std::string_view key) {
  const Json* member = JsonFind(value, key);
  if (member == nullptr || !member->is_string()) return WrongType(key, "a string", member);
  return member->get<std::string>();
}

absl::StatusOr<double> JsonNumber(const Json& value, std::string_view key) {
  const Json* member = JsonFind(value, key);
  if (member == nullptr || !member->is_number()) return WrongType(key, "a number", member);
  return member->get<double>();
}

absl::StatusOr<int64_t> JsonInt(const Json& value, std::string_view key) {
  const Json* member = JsonFind(value, key);
  if (member == nullptr || !member->is_number_integer()) return WrongType(key, "a whole number", member);
  if (member->is_number_unsigned() && member->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
    return absl::OutOfRangeError(absl::StrCat("\"", std::string(key), "\" is too large"));
  }
  return member->get<int64_t>();
}

absl::StatusOr<bool> JsonBool(const Json& value, std::string_view key) {
  const Json* member = JsonFind(value, key);
  if (member == nullptr || !member->is_boolean()) return WrongType(key, "true or false", member);
  return member->get<bool>();
}

}  // namespace heterosis
