#include "compiler/conversion/FrontendToPipe/FrontendToPipe.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace penstock {

namespace {

struct ToAttribute {
  Builder &b;
  Attribute operator()(bool v) const { return b.getBoolAttr(v); }
  Attribute operator()(int64_t v) const { return b.getI64IntegerAttr(v); }
  Attribute operator()(double v) const { return b.getF64FloatAttr(v); }
  Attribute operator()(const std::string &v) const { return b.getStringAttr(v); }
  Attribute operator()(const std::vector<int64_t> &v) const { return b.getDenseI64ArrayAttr(v); }
  Attribute operator()(const std::vector<double> &v) const { return b.getDenseF64ArrayAttr(v); }
  Attribute operator()(const std::vector<std::string> &v) const {
    SmallVector<Attribute> items;
    for (const std::string &item : v) {
      items.push_back(b.getStringAttr(item));
    }
    return b.getArrayAttr(items);
  }
};

} // namespace

DictionaryAttr toDictionary(MLIRContext &context, const frontend::Attributes &attributes) {
  Builder b(&context);
  SmallVector<NamedAttribute> items;
  for (const auto &[name, value] : attributes) {
    items.push_back(b.getNamedAttr(name, std::visit(ToAttribute{b}, value)));
  }
  return b.getDictionaryAttr(items);
}

frontend::Attributes fromDictionary(DictionaryAttr dictionary) {
  frontend::Attributes attributes;
  if (!dictionary) {
    return attributes;
  }
  for (NamedAttribute item : dictionary) {
    frontend::Attribute &value = attributes[item.getName().str()];
    if (auto v = dyn_cast<BoolAttr>(item.getValue())) {
      value = v.getValue();
    } else if (auto v = dyn_cast<IntegerAttr>(item.getValue())) {
      value = v.getValue().getSExtValue();
    } else if (auto v = dyn_cast<FloatAttr>(item.getValue())) {
      value = v.getValueAsDouble();
    } else if (auto v = dyn_cast<StringAttr>(item.getValue())) {
      value = v.getValue().str();
    } else if (auto v = dyn_cast<DenseI64ArrayAttr>(item.getValue())) {
      value = std::vector<int64_t>(v.asArrayRef());
    } else if (auto v = dyn_cast<DenseF64ArrayAttr>(item.getValue())) {
      value = std::vector<double>(v.asArrayRef());
    } else if (auto v = dyn_cast<ArrayAttr>(item.getValue())) {
      std::vector<std::string> strings;
      for (Attribute s : v) {
        strings.push_back(isa<StringAttr>(s) ? cast<StringAttr>(s).getValue().str() : std::string());
      }
      value = std::move(strings);
    } else {
      attributes.erase(item.getName().str());
    }
  }
  return attributes;
}

DictionaryAttr toDictionary(MLIRContext &context, const frontend::Learning &learning) {
  Builder b(&context);
  NamedAttrList list;
  if (learning.rate != 1) {
    list.set("rate", b.getF64FloatAttr(learning.rate));
  }
  if (learning.frozen) {
    list.set("frozen", b.getUnitAttr());
  }
  if (learning.objective != 0) {
    list.set("objective", b.getI64IntegerAttr(learning.objective));
  }
  return list.empty() ? DictionaryAttr() : list.getDictionary(&context);
}

frontend::Learning learningFrom(DictionaryAttr dictionary) {
  frontend::Learning learning;
  if (!dictionary) {
    return learning;
  }
  if (auto rate = dictionary.getAs<FloatAttr>("rate")) {
    learning.rate = rate.getValueAsDouble();
  }
  learning.frozen = dictionary.contains("frozen");
  if (auto objective = dictionary.getAs<IntegerAttr>("objective")) {
    learning.objective = static_cast<int>(objective.getInt());
  }
  return learning;
}

} // namespace penstock
