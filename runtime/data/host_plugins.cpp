// The functions of dataset.h that take a plugin host, and the host as DataPlugins.
#include "runtime/base/hash.h"
#include "runtime/data/dataset.h"
#include "runtime/data/dataset_impl.h"
#include "runtime/data/facts.h"
#include "runtime/data/record_reader.h"

#include <algorithm>

namespace penstock {

namespace {

class HostPlugins : public DataPlugins {
public:
  explicit HostPlugins(PluginHost &host) : host(host) {}

  Result<TokenizerInfo> info(const std::string &plugin) override {
    PENSTOCK_ASSIGN(const PluginManifest *manifest, host.manifest(plugin, PluginKind::tokenizer));
    TokenizerInfo info;
    info.version = manifest->version;
    info.fits = manifest->fits;
    if (const Result<Hash128> library = hashPath(manifest->library); library.ok()) {
      info.build = library->hex(); // one that cannot be read will not load either
    }
    for (const PluginParameter &parameter : manifest->parameters) {
      if (parameter.type == PluginParameter::Type::path) {
        info.pathParameters.push_back({parameter.name, parameter.files, parameter.beside});
      }
    }
    return info;
  }

  Result<std::shared_ptr<const Tokenizer>> make(const std::string &plugin, const std::string &parameters,
                                                const std::string &state) override {
    return makeTokenizer(host, plugin, parameters, state);
  }

  Result<std::unique_ptr<TokenizerFit>> fit(const std::string &plugin, const std::string &parameters) override {
    return fitTokenizer(host, plugin, parameters);
  }

  Result<MadeSource> source(const std::string &plugin, const std::string &parameters) override {
    PENSTOCK_ASSIGN(const PluginManifest *manifest, host.manifest(plugin, PluginKind::source));
    MadeSource made;
    PENSTOCK_ASSIGN(made.source, makeSource(host, plugin, parameters));
    const Result<Hash128> library = hashPath(manifest->library);
    made.identity = manifest->version + " " + (library.ok() ? library->hex() : "");
    return made;
  }

private:
  PluginHost &host;
};

} // namespace

Result<std::string> gatherFacts(const RecordsSpec &records, PluginHost &host, const std::string &cacheFolder, const FittedFolder *earlier) {
  HostPlugins plugins(host);
  FactsOptions options;
  options.cache = cacheFolder;
  options.earlier = earlier;
  return gatherFactsWith(records, plugins, options);
}

Result<std::shared_ptr<const Dataset>> Dataset::open(const RecordsSpec &records, const std::string &split, PluginHost &host,
                                                     const Options &options) {
  HostPlugins plugins(host);
  PENSTOCK_ASSIGN(std::shared_ptr<const SplitDataset> dataset, SplitDataset::openWith(records, split, plugins, options));
  return std::shared_ptr<const Dataset>(std::move(dataset));
}

Result<std::shared_ptr<const Tokenizer>> tokenizerOf(const std::shared_ptr<const Dataset> &dataset, const std::string &feature,
                                                     PluginHost &host) {
  const auto split = std::dynamic_pointer_cast<const SplitDataset>(dataset);
  for (std::size_t i = 0; split != nullptr && i < split->program.features.size(); ++i) {
    if (split->program.features[i].name == feature) {
      Fitted fitted = split->fitted;
      HostPlugins plugins(host);
      PENSTOCK_TRY(makeTokenizers(split->program, fitted, plugins));
      return fitted.features[i].tokenizer;
    }
  }
  return internalError("`" + feature + "` was taken for a feature of texts; please report this");
}

Result<std::vector<std::int64_t>> documentsOf(const std::shared_ptr<const Dataset> &dataset, const std::string &feature, PluginHost &host) {
  PENSTOCK_ASSIGN(const std::shared_ptr<const Tokenizer> tokenizer, tokenizerOf(dataset, feature, host));
  const auto split = std::dynamic_pointer_cast<const SplitDataset>(dataset);
  const std::vector<LinkedFeature> &features = split->program.features;
  const auto at = std::find_if(features.begin(), features.end(), [&](const LinkedFeature &one) { return one.name == feature; });
  const SplitIds::Axis &axis = split->ids.features[static_cast<std::size_t>(at - features.begin())];
  std::vector<std::int64_t> documents(static_cast<std::size_t>(tokenizer->vocabularySize()));
  std::vector<std::int64_t> last(documents.size(), -1); // record in which an id was seen
  for (std::int64_t record = 0; record < split->ids.records; ++record) {
    for (std::int64_t i = axis.offsets[record]; i < axis.offsets[record + 1]; ++i) {
      const auto id = static_cast<std::size_t>(axis.ids[i]);
      documents[id] += last[id] == record ? 0 : 1;
      last[id] = record;
    }
  }
  documents[static_cast<std::size_t>(tokenizer->unknownId())] = 0;
  return documents;
}

Result<std::shared_ptr<const ReadyRecords>> readyRecords(const RecordsSpec &records, const FittedFolder &fitted, PluginHost &host) {
  HostPlugins plugins(host);
  return readyRecordsWith(records, fitted, plugins);
}

Result<std::unique_ptr<TextReader>> TextReader::open(const RecordsSpec &records, const std::string &split, PluginHost &host) {
  HostPlugins plugins(host);
  return openTextsWith(records, split, plugins);
}

} // namespace penstock
