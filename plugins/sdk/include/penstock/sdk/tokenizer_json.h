// tokenizer.json of a Hugging Face folder: what all kinds of tokenizers have in common. What would change ids and is not read here
// fails by name. Needs nlohmann_json.
#pragma once

#include <penstock/sdk/files.h>
#include <penstock/sdk/tokenizer.h>
#include <penstock/sdk/unicode.h>

#include <nlohmann/json.hpp>

#include <unordered_map>

namespace penstock::sdk {

class TokenizerJson {
public:
  using Json = nlohmann::json;
  static constexpr std::int64_t mostTokens = std::int64_t{1} << 24;

  static bool isOne(std::string_view path) { return path.ends_with(".json"); }

  /// `kind`: of the model, "WordPiece" or "BPE".
  TokenizerJson(const std::string &path, std::string_view bytes, std::string_view kind) : path(path), root(parse(path, bytes)) {
    if (!root.is_object() || !root.contains("model") || !root["model"].is_object()) {
      throw fail("it has no `model`, so it is no tokenizer.json");
    }
    const std::string type = textOf(root["model"], "type");
    // Old files have no type: their models are told by what they hold.
    if (type != kind && !(type.empty() && kind == "BPE" && root["model"].contains("merges"))) {
      throw fail("its model is " + (type.empty() ? "of an unknown kind" : "`" + type + "`") + ", and this tokenizer reads `" +
                 std::string(kind) + "`");
    }
    readVocabulary();
    readAdded();
  }

  const Json &model() const { return root["model"]; }
  const std::vector<std::string> &tokens() const { return byId; } // empty where an id has none
  std::int32_t idOf(const std::string &token) const {
    const auto found = ids.find(token);
    return found == ids.end() ? -1 : found->second;
  }

  /// A part of the file: an object, or an empty one where it is null or absent.
  Json part(const char *name) const { return root.contains(name) && root[name].is_object() ? root[name] : Json::object(); }
  static std::string textOf(const Json &json, const char *name) {
    return json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : std::string();
  }
  bool flagOf(const Json &json, const char *name, bool standard) const {
    if (!json.contains(name) || json[name].is_null()) {
      return standard;
    }
    if (!json[name].is_boolean()) {
      throw fail(std::string("its `") + name + "` is neither true nor false");
    }
    return json[name].get<bool>();
  }
  /// A setting that must have this value, because another one would change ids.
  void require(const Json &json, const char *where, const char *name, const Json &wanted) const {
    const Json given = json.contains(name) ? json[name] : Json();
    if (!given.is_null() && given != wanted) {
      throw fail(std::string("it sets `") + where + "." + name + "` to " + given.dump() + "; only " + wanted.dump() + " is supported");
    }
  }
  Failure fail(const std::string &reason) const { return Failure("the tokenizer " + path + " cannot be used: " + reason); }

  /// What its post-processor puts around texts; nothing where it has none.
  SpecialTokens special() const {
    SpecialTokens found;
    addSpecial(part("post_processor"), found);
    return found;
  }

private:
  static Json parse(const std::string &path, std::string_view bytes) {
    Json json = Json::parse(bytes, nullptr, false);
    if (json.is_discarded()) {
      throw Failure("the tokenizer " + path + " cannot be used: it is not valid JSON");
    }
    return json;
  }

  void add(const std::string &token, const Json &id) {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0 || id.get<std::int64_t>() >= mostTokens) {
      throw fail("the id of its token `" + token + "` is no number below " + std::to_string(mostTokens));
    }
    const auto place = id.get<std::size_t>();
    if (place >= byId.size()) {
      byId.resize(place + 1);
    }
    if (!byId[place].empty() && byId[place] != token) {
      throw fail("its tokens `" + byId[place] + "` and `" + token + "` have one id");
    }
    byId[place] = token;
    ids[token] = static_cast<std::int32_t>(place);
  }

  void readVocabulary() {
    const Json &model = root["model"];
    if (!model.contains("vocab") || !model["vocab"].is_object() || model["vocab"].empty()) {
      throw fail("its model has no `vocab`");
    }
    for (const auto &[token, id] : model["vocab"].items()) {
      add(token, id);
    }
  }

  void readAdded() {
    if (!root.contains("added_tokens") || !root["added_tokens"].is_array()) {
      return;
    }
    for (const Json &one : root["added_tokens"]) {
      const std::string token = one.is_object() ? textOf(one, "content") : "";
      if (token.empty() || !one.contains("id")) {
        throw fail("an entry of its `added_tokens` has no content or id");
      }
      if (!flagOf(one, "special", false)) {
        throw fail("its added token `" + token + "` is no special token, which is not supported");
      }
      add(token, one["id"]);
    }
  }

  std::int32_t known(const std::string &token) const {
    const std::int32_t id = idOf(token);
    if (id < 0) {
      throw fail("its post-processor names `" + token + "`, which is no token");
    }
    return id;
  }

  void addSpecial(const Json &processor, SpecialTokens &found) const {
    const std::string type = textOf(processor, "type");
    if (type.empty() || type == "ByteLevel") {
      return;
    }
    if (type == "Sequence" && processor.contains("processors") && processor["processors"].is_array()) {
      for (const Json &one : processor["processors"]) {
        addSpecial(one, found);
      }
      return;
    }
    if (type == "BertProcessing" || type == "RobertaProcessing") {
      const auto token = [&](const char *name) {
        if (!processor.contains(name) || !processor[name].is_array() || processor[name].empty() || !processor[name][0].is_string()) {
          throw fail(std::string("its `post_processor.") + name + "` names no token");
        }
        return known(processor[name][0].get<std::string>());
      };
      const std::int32_t cls = token("cls"), sep = token("sep");
      found.prefix = {cls};
      found.separator = type == "BertProcessing" ? std::vector{sep} : std::vector{sep, sep};
      found.suffix = {sep};
      return;
    }
    if (type != "TemplateProcessing") {
      throw fail("its post-processor `" + type + "` is not supported");
    }
    std::vector<std::vector<std::int32_t>> single = templateOf(processor, "single"), pair = templateOf(processor, "pair");
    if (single.size() != 2 || pair.size() != 3 || single[0] != pair[0] || single[1] != pair[2]) {
      throw fail("its `post_processor` puts other tokens around two texts than around one, which is not supported");
    }
    found = {pair[0], pair[1], pair[2]};
  }

  /// The special tokens before, between and behind the texts of a template.
  std::vector<std::vector<std::int32_t>> templateOf(const Json &processor, const char *name) const {
    std::vector<std::vector<std::int32_t>> parts(1);
    if (!processor.contains(name) || !processor[name].is_array()) {
      throw fail(std::string("its `post_processor.") + name + "` is no list");
    }
    for (const Json &item : processor[name]) {
      if (item.is_object() && item.contains("Sequence")) {
        parts.emplace_back();
      } else if (item.is_object() && item.contains("SpecialToken") && item["SpecialToken"].is_object()) {
        parts.back().push_back(known(textOf(item["SpecialToken"], "id")));
      } else {
        throw fail(std::string("an item of its `post_processor.") + name + "` is neither text nor special token");
      }
    }
    return parts;
  }

  std::string path;
  Json root;
  std::vector<std::string> byId;
  std::unordered_map<std::string, std::int32_t> ids;
};

} // namespace penstock::sdk
