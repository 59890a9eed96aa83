// The folder of a Hugging Face model, as a tokenizer reads it: which of its files, and what tokenizer_config.json,
// special_tokens_map.json and added_tokens.json say. Needs nlohmann_json.
#pragma once

#include <penstock/sdk/tokenizer_json.h>

#include <algorithm>
#include <initializer_list>
#include <optional>

namespace penstock::sdk {

class TokenizerFolder {
public:
  using Json = nlohmann::json;

  /// `path`: the folder, where the first of `names` that lies in it is the main file; or the main file itself. The files with settings
  /// lie beside the main file, or are not there.
  TokenizerFolder(const std::string &path, std::initializer_list<const char *> names) {
    struct stat info = {};
    if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
      folder = path + "/";
      std::string wanted;
      for (const char *name : names) {
        if (mainFile.empty() && isThere(folder + name)) {
          mainFile = folder + name;
        }
        wanted += std::string(wanted.empty() ? "" : ", ") + name;
      }
      if (mainFile.empty()) {
        throw Failure("the folder " + path + " has none of " + wanted);
      }
    } else {
      const std::size_t slash = path.rfind('/');
      folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
      mainFile = path;
    }
    config = objectIn("tokenizer_config.json");
    tokensMap = objectIn("special_tokens_map.json");
    added = objectIn("added_tokens.json");
  }

  /// The folder, the main file, and another one of the folder.
  std::string path() const { return folder.size() > 1 ? folder.substr(0, folder.size() - 1) : folder.empty() ? "." : folder; }
  const std::string &main() const { return mainFile; }
  std::string file(const char *name) const { return folder + name; }

  /// What tokenizer_config.json says; nothing where it is silent, or says null.
  std::optional<bool> flag(const char *name) const {
    if (!config.contains(name) || config[name].is_null()) {
      return std::nullopt;
    }
    if (!config[name].is_boolean()) {
      throw fail("tokenizer_config.json", std::string("its `") + name + "` is neither true nor false");
    }
    return config[name].get<bool>();
  }
  /// A special token by its role (`unk_token`), of tokenizer_config.json or special_tokens_map.json.
  std::optional<std::string> token(const char *role) const {
    for (const Json *one : {&config, &tokensMap}) {
      if (one->contains(role)) {
        const Json &value = (*one)[role];
        const std::string text = value.is_string() ? value.get<std::string>() : TokenizerJson::textOf(value, "content");
        if (!text.empty()) {
          return text;
        }
      }
    }
    return std::nullopt;
  }
  std::string className() const { return TokenizerJson::textOf(config, "tokenizer_class"); }
  /// Whether a tokenizer.json counts as it stands, so that the flags beside it are not read, as in Transformers.
  bool isGeneric() const { return className() == "PreTrainedTokenizerFast" || className() == "TokenizersBackend"; }

  /// Fails where the settings add tokens that are not special: they would be found within texts, which is not done here. For
  /// vocabularies without a tokenizer.json, which says it itself. `has`: whether the vocabulary has a token.
  template <typename Has> void refuseAdded(Has &&has) const {
    std::vector<std::string> special;
    const Json decoder = part(config, "added_tokens_decoder");
    for (const auto &[id, token] : decoder.items()) {
      const std::string text = TokenizerJson::textOf(token, "content");
      const bool isSpecial =
          token.is_object() && token.contains("special") && token["special"].is_boolean() && token["special"].get<bool>();
      if (isSpecial) {
        special.push_back(text);
      } else {
        throw fail("tokenizer_config.json", "its added token `" + text + "` is no special token, which is not supported");
      }
    }
    for (const auto &[role, value] : tokensMap.items()) {
      for (const Json &one : value.is_array() ? value : Json::array({value})) {
        special.push_back(one.is_string() ? one.get<std::string>() : TokenizerJson::textOf(one, "content"));
      }
    }
    for (const auto &[token, id] : added.items()) {
      if (!has(token) && std::find(special.begin(), special.end(), token) == special.end()) {
        throw fail("added_tokens.json", "its token `" + token + "` is no special token, which is not supported");
      }
    }
  }

private:
  static constexpr std::size_t largest = std::size_t{16} << 20;

  static bool isThere(const std::string &path) {
    struct stat info = {};
    return ::stat(path.c_str(), &info) == 0;
  }
  static Json part(const Json &json, const char *name) {
    return json.contains(name) && json[name].is_object() ? json[name] : Json::object();
  }
  Json objectIn(const char *name) const {
    if (!isThere(folder + name)) {
      return Json::object();
    }
    Json json = Json::parse(readFile(folder + name, "the file", largest), nullptr, false);
    if (!json.is_object()) {
      throw fail(name, "it is not a JSON object");
    }
    return json;
  }
  Failure fail(const char *name, const std::string &reason) const {
    return Failure("the tokenizer in " + folder + " cannot be used: " + name + ": " + reason);
  }

  std::string folder, mainFile;
  Json config, tokensMap, added;
};

/// What a parameter is in the end: what the call says; else what a file says; else `standard`. A call that contradicts a file is remarked.
class Settled {
public:
  Settled(const Parameters &parameters, const TokenizerFolder &folder) : parameters(parameters), folder(folder.path()) {}

  /// `says`: where the file has it, in words: "`tokenizer_config.json` says `do_lower_case`".
  bool flag(const char *name, std::optional<bool> given, const std::string &says, bool standard) const {
    return pick<bool>(
        name, given, says, standard, [&] { return parameters.flag(name); }, [](bool value) { return value ? "true" : "false"; });
  }
  std::string text(const char *name, std::optional<std::string> given, const std::string &says, const std::string &standard) const {
    return pick<std::string>(
        name, std::move(given), says, standard, [&] { return std::string(parameters.text(name)); },
        [](const std::string &value) { return "\"" + value + "\""; });
  }
  std::int64_t integer(const char *name, std::optional<std::int64_t> given, const std::string &says, std::int64_t standard) const {
    return pick<std::int64_t>(
        name, given, says, standard, [&] { return parameters.integer(name); }, [](std::int64_t value) { return std::to_string(value); });
  }

private:
  template <typename T, typename Written, typename Show>
  T pick(const char *name, std::optional<T> given, const std::string &says, T standard, Written &&written, Show &&show) const {
    if (!parameters.has(name)) {
      return given.value_or(std::move(standard));
    }
    const T value = written();
    if (given && *given != value) {
      parameters.remark(name, "`" + std::string(name) + ": " + show(value) + "` is written, and " + says + ": " + show(*given) + ", in " +
                                  folder + "; what is written counts");
    }
    return value;
  }

  const Parameters &parameters;
  std::string folder;
};

/// Of one setting in tokenizer.json and in tokenizer_config.json: the second counts where it says something, as in Transformers, and a
/// contradiction is remarked at the parameter `vocab`.
inline std::optional<bool> settingOf(const Parameters &parameters, const TokenizerFolder &folder, std::optional<bool> inJson,
                                     const char *jsonName, const char *configName, std::string &says) {
  const std::optional<bool> inConfig = inJson && folder.isGeneric() ? std::nullopt : folder.flag(configName);
  says =
      inConfig ? "`tokenizer_config.json` says `" + std::string(configName) + "`" : "`tokenizer.json` says `" + std::string(jsonName) + "`";
  if (inJson && inConfig && *inJson != *inConfig) {
    const auto word = [](bool value) { return std::string(value ? "true" : "false"); };
    parameters.remark("vocab", "tokenizer.json says `" + std::string(jsonName) + "`: " + word(*inJson) + ", and tokenizer_config.json `" +
                                   configName + "`: " + word(*inConfig) + "; the second counts, as in Transformers");
  }
  return inConfig ? inConfig : inJson;
}

} // namespace penstock::sdk
