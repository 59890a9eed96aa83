#include "runtime/artifact/write_artifact.h"

#include "runtime/artifact/artifact_data.h"
#include "runtime/artifact/bundle.h"
#include "runtime/artifact/c_layout.h"
#include "runtime/artifact/write_header.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/hash.h"
#include "runtime/base/kernel_choices.h"
#include "runtime/base/program_rows.h"
#include "runtime/base/splits.h"
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

constexpr std::size_t largestFile = std::size_t{1} << 36;

/// What is needed to answer, and where `trains` to train, without places.
RunConfig configOf(const RunConfig &config, const std::vector<ArtifactPlugin> &plugins, bool trains) {
  RunConfig kept;
  kept.name = config.name;
  kept.records = config.records;
  kept.records.fitted.clear();
  for (SourceSpec &source : kept.records.sources) {
    // Not where the data lay, but by which extension they were known, and whether a file was a split.
    source.path = withoutNames(source.path, source.files, "data");
    source.files.clear();
    const bool isThere = SourceSpec::isBuiltIn(source.kind) || std::any_of(plugins.begin(), plugins.end(), [&](const ArtifactPlugin &one) {
                           return one.manifest.name == source.kind;
                         });
    if (!isThere) { // its plugin stays behind: rows come in another form
      source.kind = "csv";
      source.path = isFileASplit(source.path) ? std::string(splitMark) + ".csv" : "data.csv";
      source.options.clear();
    }
    if (!trains) {
      source.steps.clear();
    }
  }
  // What a tokenizer read by path lies among what is fitted.
  for (FeatureSpec &feature : kept.records.features) {
    for (StepSpec &step : feature.steps) {
      const auto plugin =
          std::find_if(plugins.begin(), plugins.end(), [&](const ArtifactPlugin &one) { return one.manifest.name == step.plugin; });
      std::erase_if(step.parameters, [&](const auto &parameter) {
        const PluginParameter *const known = plugin == plugins.end() ? nullptr : plugin->manifest.find(parameter.first);
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
  if (trains) {
    kept.title = config.title;
    kept.train = config.train;
    kept.train.from.clear();
    kept.metrics = config.metrics;
    kept.confidence = config.confidence;
    kept.lastOnly = config.lastOnly;
    kept.expectations = config.expectations;
    for (ExpectationSpec &expectation : kept.expectations) {
      expectation.place.clear();
    }
  }
  return kept;
}

/// tokenizers.json without where files lay, and which files or folders of fitted/ were read by path.
struct TokenizersPart {
  std::string text;
  std::vector<std::string> paths;
};

Result<TokenizersPart> withoutPlaces(const FittedFolder &fitted, const std::vector<ArtifactPlugin> &plugins) {
  PENSTOCK_ASSIGN(const std::string text, readFittedFile(fitted, tokenizersFile));
  Json json = Json::parse(text, nullptr, false);
  TokenizersPart part;
  try {
    for (auto &[name, feature] : json.at("features").items()) {
      const auto plugin = feature.at("plugin").get<std::string>();
      const bool fits = std::any_of(plugins.begin(), plugins.end(),
                                    [&](const ArtifactPlugin &one) { return one.manifest.name == plugin && one.manifest.fits; });
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

class Writer {
public:
  Writer(const ArtifactData &data, PluginHost &host, const std::string &folder)
      : data(data), host(host), folder(folder), config(configOf(data.record->config, data.plugins, data.trains)) {}

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
    for (const auto &[kind, fingerprint] : data.devices) {
      add("program/" + kind, fingerprint);
      about["levels"].push_back(kind);
    }
    if (data.trains || !data.devices.empty()) {
      add(allWeightsSection, std::string(weights->bytes()));
    }
    about["format"] = artifactFormat;
    about["name"] = data.name;
    about["version"] = data.version;
    about["resolved"] = data.resolved;
    about["trainable"] = data.trains;
    about["precision"] = data.precision;
    about["differences"] = data.differences;
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
    PENSTOCK_ASSIGN(const TokenizersPart tokenizers, withoutPlaces(data.fitted, data.plugins));
    for (const auto &[name, hash] : data.fitted.hashes) {
      PENSTOCK_ASSIGN(std::string bytes, readFittedFile(data.fitted, name)); // a run that is damaged is refused, needed or not
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
    for (const ArtifactPlugin &plugin : data.plugins) {
      const std::string name = fmt::format("{} {}", kindName(plugin.manifest.kind), plugin.manifest.name);
      about["plugins"].push_back(name);
      add("plugin/" + name, plugin.text);
      if (!plugin.beside) {
        continue;
      }
      PENSTOCK_ASSIGN(std::string library, readWholeFile(plugin.manifest.library));
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
    Model &model = *of.program;
    const PenstockProgram &program = model.table();
    PENSTOCK_TRY(checkOwnKernels(program));
    PENSTOCK_TRY(model.load(TensorClass::parameter, weights));
    PENSTOCK_TRY(model.load(TensorClass::fitted, weights));
    PENSTOCK_TRY(model.pack(pool));
    const std::string &level = of.name;
    add("program/" + level, programFingerprint(program));
    const auto bytesOf = [](const void *from, std::size_t bytes) { return std::string(static_cast<const char *>(from), bytes); };
    if (about["levels"].empty()) { // where they lie does not depend on the level
      PENSTOCK_ASSIGN(const HostTensors parameters, model.fetch(TensorClass::parameter));
      PENSTOCK_ASSIGN(const HostTensors fitted, model.fetch(TensorClass::fitted));
      const auto from = static_cast<std::size_t>(program.packed_elements);
      add("parameters", bytesOf(parameters.data() + from, (parameters.elements() - from) * sizeof(float)));
      add("fitted tensors", bytesOf(fitted.data(), fitted.elements() * sizeof(float)));
      PENSTOCK_TRY(writeTypes(model));
    }
    about["levels"].push_back(level);
    std::vector<std::int32_t> formats;
    for (std::size_t i = 0; i < model.dispatched().size(); ++i) {
      const void *const handle = model.dispatched()[i];
      const PackedForm form = kernelPackedForm(handle);
      formats.push_back(form.format);
      add(fmt::format("packed/{}/{}", level, i), form.format == 0 ? "" : bytesOf(kernelPacked(handle), form.bytes));
    }
    add("formats/" + level, bytesOf(formats.data(), formats.size() * sizeof(std::int32_t)));
    return {};
  }

  Status writeTypes(const Model &model) {
    PENSTOCK_ASSIGN(const auto predictor, Predictor::open(config, data.fitted, host, model));
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
    text += fmt::format("pipeline = {}\nresolved = {}\nweights = {}\nprecision = {}\nlevels = {}\nplugins = {}\ntrainable = {}\n",
                        quoted(record.config.name), quoted(data.resolved), quoted(record.weightsHash), quoted(data.precision),
                        about.at("levels").dump(), about.at("plugins").dump(), data.trains);
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

Status checkOwnKernels(const PenstockProgram &program) {
  for (const PenstockDispatch &dispatch : dispatchesOf(program)) {
    if (const std::string_view by = dispatch.implementation == nullptr ? "" : dispatch.implementation; !by.empty() && by != ownKernels) {
      return invalidInput(
          fmt::format("the program computes `{}` of shape {} by `{}`, which an artifact does not have; build with `--kernels penstock`: "
                      "answers may then differ from the run's in the last digits",
                      dispatch.kernel, fmt::join(dispatch.attributes, dispatch.attributes + dispatch.attribute_count, " x "), by));
    }
  }
  return {};
}

Status writeSingleFile(std::string code, const std::string &data, const std::string &output) {
  PENSTOCK_ASSIGN(const std::string bundle, readWholeFile(data, largestFile));
  Bundle::append(code, bundle);
  return writeExecutable(output, code);
}

/// Whether that is an artifact's folder of plugins.
static bool holdsLibraries(const std::string &folder, const std::string &file) {
  const std::vector<std::string> held = listFolder(folder + "/" + file);
  return file == artifactPluginFolder && fileExists(folder + "/" + artifactDataFile) &&
         std::all_of(held.begin(), held.end(), [](const std::string &one) { return one.ends_with(".so"); });
}

Status checkArtifactFolder(const std::string &folder) {
  for (const std::string &file : listFolder(folder)) {
    const bool ours = file == artifactDataFile || file == "manifest.toml" || holdsLibraries(folder, file) ||
                      (file.starts_with("lib") && file.ends_with(".so")) || fileExists(folder + "/" + file + ".h") ||
                      (file.ends_with(".h") && fileExists(folder + "/" + file.substr(0, file.size() - 2)));
    if (!ours) {
      return environmentError("the folder `" + folder + "` holds `" + file +
                              "`, which is of no artifact: name a new or an empty folder, or that of an artifact, which is replaced");
    }
  }
  return {};
}

Result<std::string> writeArtifactData(const ArtifactData &data, PluginHost &host, const std::string &folder) {
  return Writer(data, host, folder).write();
}

} // namespace penstock
