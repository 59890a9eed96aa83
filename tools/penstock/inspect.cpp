#include "tools/penstock/commands.h"

#include "runtime/artifact/artifact_data.h"
#include "runtime/artifact/bundle.h"
#include "runtime/base/disk_cache.h"
#include "runtime/base/file.h"
#include "runtime/base/plugin_kinds.h"
#include "runtime/base/plugin_manifest.h"
#include "runtime/base/printable.h"
#include "runtime/exec/run_folder.h"
#include "runtime/exec/safetensors.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cstring>
#include <filesystem>
#include <memory>

namespace penstock {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Result<Json> tensorsOf(const std::string &path) {
  PENSTOCK_ASSIGN(const auto file, SafetensorsFile::openAny(path));
  Json list = Json::array();
  for (const StoredTensor &tensor : file->stored()) {
    list.push_back({{"name", tensor.name}, {"type", tensor.type}, {"shape", tensor.shape}});
  }
  return list;
}

Result<Json> inspectRun(const std::string &folder) {
  PENSTOCK_ASSIGN(const RunRecord record, readRunRecord(folder));
  Json out = {{"kind", "run"},
              {"pipeline", record.config.name},
              {"written_by", "penstock " + record.version},
              {"finished", record.finished},
              {"started", record.started},
              {"ended", record.ended},
              {"steps", record.totalSteps},
              {"kept_step", record.keptStep},
              {"seconds", record.seconds},
              {"records", record.records},
              {"level", record.level},
              {"kernels", record.kernels},
              {"threads", record.threads},
              {"data_hash", record.dataHash}};
  for (const SplitResult &result : record.results) {
    Json &split = out["results"][result.split];
    if (result.hasLoss) {
      split["loss"] = result.loss;
    }
    for (const auto &[name, value] : result.values) {
      split[name] = value;
    }
  }
  for (const Fit &fit : record.fits) {
    out["fits"].push_back({{"name", fit.name}, {"what", fit.what}, {"time", nameOf(fit.time)}, {"file", "fitted/" + fit.file}});
  }
  for (const RunPlugin &plugin : record.plugins) {
    out["plugins"].push_back({{"kind", plugin.kind}, {"name", plugin.name}, {"version", plugin.version}});
  }
  if (record.finished) {
    PENSTOCK_ASSIGN(out["tensors"], tensorsOf(folder + "/model.safetensors"));
  }
  return out;
}

Result<Json> inspectCheckpoint(const std::string &folder) {
  PENSTOCK_ASSIGN(const std::string text, readWholeFile(folder + "/state.json"));
  const Json state = Json::parse(text, nullptr, false);
  if (!state.is_object()) {
    return environmentError("the checkpoint in `" + folder + "` is damaged: its state.json is no JSON object");
  }
  Json out = {{"kind", "checkpoint"}};
  out.update(state);
  PENSTOCK_ASSIGN(out["tensors"], tensorsOf(folder + "/weights.safetensors"));
  return out;
}

Result<Json> inspectPlugin(const std::string &manifestPath) {
  PENSTOCK_ASSIGN(const PluginManifest manifest, readPluginManifest(manifestPath));
  Json out = {{"kind", "plugin"},
              {"plugin_kind", rowOf(manifest.kind).name},
              {"name", manifest.name},
              {"version", manifest.version},
              {"abi", fmt::format("{}.{}", manifest.abiMajor, manifest.abiMinor)},
              {"summary", manifest.summary},
              {"library", manifest.library}};
  if (const std::string purpose = manifest.purpose(); !purpose.empty()) {
    out["purpose"] = purpose;
  }
  for (const PluginParameter &parameter : manifest.parameters) {
    out["parameters"].push_back({{"name", parameter.name}, {"help", parameter.help}});
  }
  for (const MetricResult &result : manifest.results) {
    out["results"].push_back(result.name);
  }
  return out;
}

Result<Json> inspectCacheEntry(const std::string &path, const CacheHeader &header) {
  PENSTOCK_ASSIGN(const auto file, MappedFile::map(path));
  const std::string_view payload(file->data() + sizeof header, file->size() - sizeof header);
  const bool whole = payload.size() == header.payload && hash128(payload) == header.hash;
  return Json{{"kind", "cache entry"},    {"of", std::string(header.kind, ::strnlen(header.kind, sizeof header.kind))},
              {"format", header.version}, {"key", header.key.hex()},
              {"bytes", header.payload},  {"whole", whole}};
}

/// All of its data are compared with their hashes.
Result<Json> inspectArtifact(const Bundle &data) {
  PENSTOCK_TRY(data.verify());
  PENSTOCK_ASSIGN(const std::string_view about, data.section("about"));
  Json out = {{"kind", "artifact"}};
  if (const Json said = Json::parse(about, nullptr, false); said.is_object()) {
    out.update(said);
  }
  for (const std::string &name : data.namesWith("")) {
    out["data"][name] = data.bytesOf(name);
  }
  return out;
}

/// `path`: of weights.bin.
Result<Json> inspectArtifactData(const std::string &path) {
  PENSTOCK_ASSIGN(const auto data, Bundle::open(path));
  return inspectArtifact(*data);
}

Result<Json> inspectFile(const std::string &path) {
  PENSTOCK_ASSIGN(const auto file, MappedFile::map(path));
  const std::string_view bytes(file->data(), file->size());
  if (Bundle::isBundle(bytes)) {
    return inspectArtifactData(path);
  }
  CacheHeader header{};
  if (bytes.size() >= sizeof header && bytes.starts_with("PENSTOCK")) {
    std::memcpy(&header, bytes.data(), sizeof header);
    return inspectCacheEntry(path, header);
  }
  if (bytes.starts_with("\x7f"
                        "ELF")) {
    PENSTOCK_ASSIGN(const auto appended, Bundle::openAppended(path)); // an artifact in one file
    if (appended != nullptr) {
      return inspectArtifact(*appended);
    }
    return Json{{"kind", "library"},
                {"bytes", bytes.size()},
                {"note", "a compiled program, or the library of a plugin: its code is not loaded to find out"}};
  }
  if (fs::path(path).filename() == "plugin.toml") {
    return inspectPlugin(path);
  }
  if (fs::path(path).extension() == ".safetensors") {
    Json out = {{"kind", "tensors"}};
    PENSTOCK_ASSIGN(out["tensors"], tensorsOf(path));
    return out;
  }
  return invalidInput(
      "`" + path +
      "` is nothing that Penstock wrote: `inspect` takes a run, a checkpoint, a plugin's folder, an artifact, an entry of the cache "
      "or a safetensors file");
}

/// What lies at a path: `kind`, and what is known of it. Printed as one JSON object, or as lines of names and values.
Result<Json> inspect(const std::string &path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return invalidInput("`" + path + "` cannot be inspected: there is no such file or folder");
  }
  if (!fs::is_directory(path, error)) {
    return inspectFile(path);
  }
  if (fs::exists(path + "/run.json", error)) {
    return inspectRun(path);
  }
  if (fs::exists(path + "/state.json", error)) {
    return inspectCheckpoint(path);
  }
  if (fs::exists(path + "/plugin.toml", error)) {
    return inspectPlugin(path + "/plugin.toml");
  }
  if (const std::string data = path + "/" + artifactDataFile; fs::exists(data, error)) {
    return inspectArtifactData(data);
  }
  return invalidInput("the folder `" + path +
                      "` is neither a run (run.json), nor a checkpoint (state.json), nor a plugin (plugin.toml), nor an "
                      "artifact (weights.bin)");
}

std::string shown(const Json &value) { return value.is_string() ? printable(value.get<std::string>(), 4096) : value.dump(); }

/// Each name and value on a line; of objects and lists the lines of their members, further in.
void print(const Json &object, int depth) {
  for (const auto &[name, value] : object.items()) {
    if (!value.is_structured() || (value.is_array() && (value.empty() || !value[0].is_structured()))) {
      fmt::print("{:{}}{:<{}}  {}\n", "", depth, printable(name), 24 - depth, shown(value));
      continue;
    }
    fmt::print("{:{}}{}\n", "", depth, printable(name));
    if (value.is_object()) {
      print(value, depth + 2);
      continue;
    }
    for (const Json &member : value) {
      std::vector<std::string> words;
      for (const auto &[key, one] : member.items()) {
        if (!one.is_string() || !one.get_ref<const std::string &>().empty()) {
          words.push_back(shown(one));
        }
      }
      fmt::print("{:{}}{}\n", "", depth + 2, fmt::join(words, "  "));
    }
  }
}

} // namespace

void addInspectCommand(CLI::App &app, CommandContext &context) {
  struct State {
    std::string path;
    bool json = false;
  };
  auto state = std::make_shared<State>();
  CLI::App *command = app.add_subcommand(
      "inspect", "say what lies at a path: a run, a checkpoint, a plugin, an artifact, an entry of the cache; loads no code");
  command->add_option("PATH", state->path, "the file or folder")->required();
  command->add_flag("--json", state->json, "print one JSON object");
  setExamples(*command, {"penstock inspect run", "penstock inspect run/model.safetensors"});
  command->callback([state, &context] {
    const Result<Json> found = inspect(state->path);
    if (!found.ok()) {
      context.fail(found.status());
    } else if (state->json) {
      fmt::print("{}\n", found->dump(-1, ' ', false, Json::error_handler_t::replace));
    } else {
      print(*found, 0);
    }
  });
}

} // namespace penstock
