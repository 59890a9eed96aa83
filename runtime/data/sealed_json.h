// JSON texts of ours that a later process must be able to trust: an object whose last member `hash` is the XXH64 of all the others.
#pragma once

#include "runtime/base/hash.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace penstock {

/// The object in a text; nothing where it is no JSON object, or so deeply nested that none of ours would be.
inline std::optional<nlohmann::ordered_json> parseObject(std::string_view text) {
  constexpr int deepest = 64; // deeper input must not recurse in the library
  bool tooDeep = false;
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(
      text.begin(), text.end(),
      [&](int depth, nlohmann::ordered_json::parse_event_t, nlohmann::ordered_json &) {
        tooDeep |= depth > deepest;
        return depth <= deepest;
      },
      false);
  if (tooDeep || json.is_discarded() || !json.is_object()) {
    return {};
  }
  return json;
}

inline std::string hashOfMembers(const nlohmann::ordered_json &json) {
  return hash64Hex(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

/// The text of an object, sealed.
inline std::string sealedText(nlohmann::ordered_json json) {
  json.erase("hash");
  json["hash"] = hashOfMembers(json);
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// Takes the seal off; false where it is missing or is not that of the rest.
inline bool unseal(nlohmann::ordered_json &json) {
  const auto found = json.find("hash");
  if (found == json.end() || !found->is_string()) {
    return false;
  }
  const std::string stored = found->get<std::string>();
  json.erase("hash");
  return hashOfMembers(json) == stored;
}

} // namespace penstock
