#include "runtime/artifact/write_artifact.h"

#include "runtime/artifact/artifact_data.h"
#include "runtime/artifact/bundle.h"
#include "runtime/artifact/c_layout.h"
#include "runtime/artifact/write_header.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/hash.h"
#include "runtime/device/device.h"
#include "runtime/exec/model.h"
#include "runtime/exec/predictor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <deque>

namespace penstock {
namespace {

using Json = nlohmann::ordered_json;

/// What is needed to answer, without places and what only training asks for.
RunConfig answering(const RunConfig &config, const std::vector<PluginManifest> &plugins) {
  RunConfig kept;
  kept.records = config.records;
  kept.records.fitted.clear();
  for (SourceSpec &source : kept.records.sources) {
    // Not where the data lay, but by which extension they were known, and whether a file was a split.
    const std::string path = source.path;
    const std::size_t dot = path.find('.', path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    source.path =
        std::string(path.find("{split}") != std::string::npos ? "{split}" : "data") + (dot == std::string::npos ? "" : path.substr(dot));
    source.steps.clear();
  }
  // What a tokenizer read by path lies among what is fitted.
  for (FeatureSpec &feature : kept.records.features) {
    for (StepSpec &step : feature.steps) {
      const auto plugin = std::find_if(plugins.begin(), plugins.end(), [&](const PluginManifest &one) { return one.name == step.plugin; });
      std::erase_if(step.parameters, [&](const auto &parameter) {
        const PluginParameter *const known = plugin == plugins.end() ? nullptr : plugin->find(parameter.first);
        return known != nullptr && known->type == PluginParameter::Type::path;
      });
    }
  }
  kept.answers = config.answers;
  kept.classes = config.classes;
  kept.train.seed = config.train.seed;
  kept.deploy.input = config.deploy.input;
  kept.deploy.output = config.deploy.output;
  kept.target = config.target;
  kept.target.tuned.clear();
  return kept;
}

/// tokenizers.json without where files lay, and which files or folders of fitted/ were read by path.
struct TokenizersPart {
  std::string text;
  std::vector<std::string> paths;
};

Result<TokenizersPart> withoutPlaces(const FittedFolder &fitted, const std::vector<PluginManifest> &plugins) {
  PENSTOCK_ASSIGN(const std::string text, readFittedFile(fitted, tokenizersFile));
  Json json = Json::parse(text, nullptr, false);
  TokenizersPart part;
  try {
    for (auto &[name, feature] : json.at("features").items()) {
      const auto plugin = feature.at("plugin").get<std::string>();
      const bool fits =
          std::any_of(plugins.begin(), plugins.end(), [&](const PluginManifest &one) { return one.name == plugin && one.fits; });
      for (const auto &[parameter, path] : feature.at("paths").items()) {
        if (!fits) { // else its state is all that it needs
          return invalidInput(
              fmt::format("the tokenizer `{}` reads a file by its path whenever it is made, and an artifact has no such files; "
                          "deploy the run's folder with `penstock predict`",
                          plugin));
        }
        part.paths.push_back(path.get<std::string>());
        feature.at("parameters").erase(parameter);
      }
    }
  } catch (const Json::exception &) {
    return damagedFile(fitted.path + "/" + tokenizersFile, "it does not hold what a run fits");
  }
  part.text = json.dump();
  return part;
}

/// An artifact has our own kernels alone.
Status foreignKernel(const PenstockDispatch &dispatch) {
  return invalidInput(fmt::format(
      "the program computes `{}` of shape {} by `{}`, which an artifact does not have; build with `--kernels penstock`: "
      "answers may then differ from the run's in the last digits",
      dispatch.kernel, fmt::join(dispatch.attributes, dispatch.attributes + dispatch.attribute_count, " x "), dispatch.implementation));
}

class Writer {
public:
  Writer(const ArtifactData &data, PluginHost &host, const std::string &folder)
      : data(data), host(host), folder(folder), config(answering(data.record->config, data.plugins)) {}

  /// Gives the hash of the types.
  Result<std::string> write() {
    PENSTOCK_TRY(addFitted());
    PENSTOCK_TRY(addPlugins());
    PENSTOCK_ASSIGN(const auto weights, SafetensorsFile::open(data.run + "/model.safetensors", data.record->weightsHash));
    PENSTOCK_ASSIGN(const std::unique_ptr<ThreadPool> pool, ThreadPool::create(0));
    about["levels"] = Json::array();
    for (const ArtifactData::Level &level : data.levels) {
      PENSTOCK_TRY(addProgram(level, *weights, *pool));
    }
    about["format"] = artifactFormat;
    about["name"] = data.name;
    about["version"] = data.version;
    add("about", about.dump());
    add("config", config.toJson());
    add("types", types);
    PENSTOCK_TRY(bundle.write(folder + "/" + artifactDataFile));
    PENSTOCK_TRY(writeManifest());
    return types;
  }

private:
  void add(std::string name, std::string bytes) { bundle.add(std::move(name), held.emplace_back(std::move(bytes))); }

  Status addFitted() {
    const FittedFolder fitted(data.run + "/fitted", data.record->fitted);
    PENSTOCK_ASSIGN(const TokenizersPart tokenizers, withoutPlaces(fitted, data.plugins));
    for (const auto &[name, hash] : fitted.hashes) {
      PENSTOCK_ASSIGN(std::string bytes, readFittedFile(fitted, name)); // a run that is damaged is refused, needed or not
      const bool byPath = std::any_of(tokenizers.paths.begin(), tokenizers.paths.end(),
                                      [&, &file = name](const std::string &path) { return file == path || file.starts_with(path + "/"); });
      if (!byPath) {
        add("fitted/" + name, name == tokenizersFile ? tokenizers.text : std::move(bytes));
      }
    }
    return {};
  }

  Status addPlugins() {
    about["plugins"] = Json::array();
    for (std::size_t i = 0; i < data.plugins.size(); ++i) {
      const PluginManifest &plugin = data.plugins[i];
      PENSTOCK_ASSIGN(std::string text, readWholeFile(plugin.folder + "/plugin.toml"));
      const std::string name = fmt::format("{} {}", kindName(plugin.kind), plugin.name);
      about["plugins"].push_back(name);
      add("plugin/" + name, std::move(text));
      if (!data.beside[i]) {
        continue;
      }
      PENSTOCK_ASSIGN(std::string library, readWholeFile(plugin.library));
      if (data.singleFile) {
        add("library/" + name, std::move(library));
        continue;
      }
      const std::string place = folder + "/" + artifactPluginFolder;
      PENSTOCK_TRY(makeFolders(place));
      PENSTOCK_TRY(writeFileAtomically(place + "/" + artifactPluginFile(name), library));
      add("library hash/" + name, hash128(library).hex());
    }
    return {};
  }

  Status addProgram(const ArtifactData::Level &of, const SafetensorsFile &weights, ThreadPool &pool) {
    PENSTOCK_ASSIGN(const std::shared_ptr<Model> model, Model::open(of.library, hostDevice()));
    const PenstockProgram &program = model->table();
    PENSTOCK_TRY(model->load(TensorClass::parameter, weights));
    PENSTOCK_TRY(model->load(TensorClass::fitted, weights));
    PENSTOCK_TRY(model->pack(pool));
    const std::string &level = of.name;
    add("program/" + level, programFingerprint(program));
    const auto bytesOf = [](const void *from, std::size_t bytes) { return std::string(static_cast<const char *>(from), bytes); };
    if (about["levels"].empty()) { // where they lie does not depend on the level
      PENSTOCK_ASSIGN(const HostTensors parameters, model->fetch(TensorClass::parameter));
      PENSTOCK_ASSIGN(const HostTensors fitted, model->fetch(TensorClass::fitted));
      const auto from = static_cast<std::size_t>(program.packed_elements);
      add("parameters", bytesOf(parameters.data() + from, (parameters.elements() - from) * sizeof(float)));
      add("fitted tensors", bytesOf(fitted.data(), fitted.elements() * sizeof(float)));
      PENSTOCK_TRY(writeTypes(*model));
    }
    about["levels"].push_back(level);
    std::vector<std::int32_t> formats;
    for (std::size_t i = 0; i < model->dispatched().size(); ++i) {
      const void *const handle = model->dispatched()[i];
      const PackedForm form = kernelPackedForm(handle);
      if (form.bytes > 0 && form.format == 0) {
        return foreignKernel(program.dispatches[i]);
      }
      formats.push_back(form.format);
      add(fmt::format("packed/{}/{}", level, i), form.format == 0 ? "" : bytesOf(kernelPacked(handle), form.bytes));
    }
    add("formats/" + level, bytesOf(formats.data(), formats.size() * sizeof(std::int32_t)));
    return {};
  }

  Status writeTypes(const Model &model) {
    PENSTOCK_ASSIGN(const auto predictor, Predictor::open(config, FittedFolder(data.run + "/fitted", data.record->fitted), host, model));
    const std::string header = artifactHeader(data.name, typesOf(data.name, *predictor));
    types = hash64Hex(header);
    return writeFileAtomically(folder + "/" + data.name + ".h", header);
  }

  /// For people and for `penstock inspect`.
  Status writeManifest() const {
    const auto quoted = [](const std::string &text) { return Json(text).dump(-1, ' ', true, Json::error_handler_t::replace); };
    const RunRecord &record = *data.record;
    std::string text =
        fmt::format("# What this artifact is. Answering reads nothing of this file.\nformat = {}\nname = {}\npenstock = {}\n",
                    artifactFormat, quoted(data.name), quoted(data.version));
    text += fmt::format("pipeline = {}\nresolved = {}\nweights = {}\nprecision = {}\nlevels = {}\nplugins = {}\n",
                        quoted(record.config.name), quoted(record.config.hash()), quoted(record.weightsHash), quoted(data.precision),
                        about.at("levels").dump(), about.at("plugins").dump());
    text += fmt::format("# why answers may differ from the run's; none: they are equal to the bit\ndifferences = {}\n",
                        Json(data.differences).dump());
    text += record.config.classes.empty() ? "" : "\n[classes]\n";
    for (const ClassNames &classes : record.config.classes) {
      text += fmt::format("{} = {}\n", quoted(classes.answer), Json(classes.names).dump());
    }
    for (const SplitResult &result : record.results) {
      text += fmt::format("\n[measured.{}]\n", quoted(result.split));
      for (const auto &[metric, value] : result.values) {
        if (std::isfinite(value)) {
          text += fmt::format("{} = {}\n", quoted(metric), Json(value).dump());
        }
      }
    }
    return writeFileAtomically(folder + "/manifest.toml", text);
  }

  const ArtifactData &data;
  PluginHost &host;
  const std::string folder;
  const RunConfig config;
  std::string types;
  BundleWriter bundle;
  std::deque<std::string> held; // what the bundle's sections are
  Json about = Json::object();
};

} // namespace

Result<std::string> writeArtifactData(const ArtifactData &data, PluginHost &host, const std::string &folder) {
  return Writer(data, host, folder).write();
}

} // namespace penstock
