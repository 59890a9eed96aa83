#include "runtime/exec/fitted_tensors.h"

#include "runtime/base/file.h"
#include "runtime/base/hash.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace penstock {

using Json = nlohmann::json;

namespace {

struct Documents {
  std::int64_t records = 0;
  std::vector<std::int64_t> having; // each id
};

Result<Documents> readDocuments(const FittedFolder &fitted, const std::string &name) {
  PENSTOCK_ASSIGN(const std::string text, readFittedFile(fitted, name));
  const Json json = Json::parse(text, nullptr, false);
  try {
    return Documents{json.at("records").get<std::int64_t>(), json.at("documents").get<std::vector<std::int64_t>>()};
  } catch (const nlohmann::json::exception &) {
    return damagedFile(fitted.path + "/" + name, "it does not hold what was counted in train");
  }
}

} // namespace

Status fitDocuments(const std::vector<Fit> &fits, const std::shared_ptr<const Dataset> &train, const FittedFolder *earlier,
                    PluginHost &host, FittedFolder &fitted) {
  for (const Fit &fit : fits) {
    if (fit.what != "documents") {
      continue;
    }
    const auto known = fitted.hashes.find(fit.file);
    if (known != fitted.hashes.end() && readFittedFile(fitted, fit.file).ok()) {
      continue;
    }
    std::string text;
    if (earlier != nullptr && earlier->holds(fit.file)) {
      PENSTOCK_ASSIGN(text, readFittedFile(*earlier, fit.file));
    } else {
      PENSTOCK_ASSIGN(const std::vector<std::int64_t> having, documentsOf(train, fit.name, host));
      text = Json{{"records", train->records()}, {"documents", having}}.dump() + "\n";
    }
    const std::string hash = hash64Hex(text);
    if (known != fitted.hashes.end() && known->second != hash) {
      return environmentError("`" + fitted.path + "/" + fit.file +
                              "` was damaged, and counting the data again gives another one, so this run cannot be continued; train into "
                              "another folder");
    }
    PENSTOCK_TRY(writeFileAtomically(fitted.path + "/" + fit.file, text));
    fitted.hashes[fit.file] = hash;
  }
  return {};
}

Status fillFittedTensors(Model &model, const std::vector<FittedTensorSpec> &tensors, const FittedFolder &fitted) {
  if (tensors.empty()) {
    return {};
  }
  PENSTOCK_ASSIGN(const HostTensors held, model.fetch(TensorClass::fitted));
  for (const FittedTensorSpec &tensor : tensors) {
    const auto view =
        std::find_if(held.views().begin(), held.views().end(), [&](const TensorView &one) { return one.name == tensor.tensor; });
    if (view == held.views().end()) {
      continue; // nothing reads it
    }
    const std::string name = documentsFile(tensor.feature);
    PENSTOCK_ASSIGN(const Documents documents, readDocuments(fitted, name));
    if (static_cast<std::int64_t>(documents.having.size()) != view->elements) {
      return damagedFile(fitted.path + "/" + name, "it is of another vocabulary");
    }
    // As scikit-learn's smooth idf; of what train does not have nothing was learned.
    const double all = 1 + static_cast<double>(documents.records);
    std::transform(documents.having.begin(), documents.having.end(), held.of(*view), [&](std::int64_t having) {
      return having == 0 ? 0.0F : static_cast<float>(std::log(all / (1 + static_cast<double>(having))) + 1);
    });
  }
  return model.store(held);
}

} // namespace penstock
