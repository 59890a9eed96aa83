#include "compiler/conversion/PipeToNn/ModelBuilder.h"

#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;

namespace penstock {

ModelBuilder::ModelBuilder(ModuleOp module, func::FuncOp function)
    : module(module), function(function), builder(function.front().getTerminator()) {}

FailureOr<Value> ModelBuilder::parameter(const ParameterSpec &spec, Location loc) {
  auto [found, isNew] = byName.try_emplace(spec.name, parameters.size());
  if (!isNew) {
    const Parameter &known = parameters[found->second];
    if (known.spec.shape != spec.shape) {
      emitError(loc, "parameter `") << spec.name << "` is used with two shapes";
      return failure();
    }
    return known.value;
  }
  if (llvm::any_of(spec.shape, [](int64_t extent) { return extent < 1; })) {
    emitError(loc, "parameter `") << spec.name << "` has an extent below 1";
    return failure();
  }
  uint64_t elements = 1;
  for (int64_t extent : spec.shape) {
    std::optional<uint64_t> product = llvm::checkedMulUnsigned<uint64_t>(elements, static_cast<uint64_t>(extent));
    if (!product || *product > uint64_t(1) << 40) {
      emitError(loc, "parameter `") << spec.name << "` is too large";
      return failure();
    }
    elements = *product;
  }
  // All parameters are read at the beginning, so they stand before whatever uses them.
  OpBuilder::InsertionGuard guard(builder);
  if (lastParameter) {
    builder.setInsertionPointAfter(lastParameter);
  } else {
    builder.setInsertionPointToStart(&function.front());
  }
  auto op = nn::ReadOp::create(builder, loc, RankedTensorType::get(spec.shape, builder.getF32Type()), spec.name);
  lastParameter = op;
  parameters.push_back({spec, op.getResult(), loc});
  return Value(op.getResult());
}

const ModelBuilder::ParameterSpec *ModelBuilder::specOf(Value parameter) const {
  auto read = parameter.getDefiningOp<nn::ReadOp>();
  auto found = read ? byName.find(read.getName().str()) : byName.end();
  return found == byName.end() ? nullptr : &parameters[found->second].spec;
}

Value ModelBuilder::latest(Value state) const {
  auto found = updates.find(state.getDefiningOp<nn::ReadOp>().getName().str());
  return found == updates.end() ? state : found->second.next;
}

void ModelBuilder::update(Value state, Value next, Value of) {
  if (specOf(state)->learning.frozen) {
    return;
  }
  auto [found, isNew] = updates.try_emplace(specOf(state)->name, Update{next, {}, next.getLoc()});
  found->second.next = next;
  found->second.of.push_back(of);
}

LogicalResult ModelBuilder::count(const std::string &name, StringRef notice, int objective, Value more, Value of, Location loc) {
  FailureOr<Value> counted = parameter({name, {1}, "zeros", 0, false, {1, false, objective}, "training_state", notice.str()}, loc);
  if (succeeded(counted)) {
    update(*counted, nn::AddOp::create(builder, loc, latest(*counted), more), of);
  }
  return counted;
}

Value ModelBuilder::input(StringRef name, int64_t index, Type type, Location loc) {
  return nn::InputOp::create(builder, loc, type, name, static_cast<uint64_t>(index));
}

void ModelBuilder::output(StringRef name, int64_t index, Value value, Location loc) {
  nn::OutputOp::create(builder, loc, name, static_cast<uint64_t>(index), value);
}

int64_t ModelBuilder::randomKey(StringRef path) {
  int use = uses[path.str()]++;
  std::string key = use == 0 ? path.str() : path.str() + "#" + std::to_string(use);
  uint64_t hash = 14695981039346656037U;
  for (char byte : key) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
  }
  return static_cast<int64_t>(hash);
}

LogicalResult ModelBuilder::finish() {
  auto scalar = RankedTensorType::get({}, builder.getF32Type());
  for (const SquareSum &item : squareSums) {
    builder.setInsertionPoint(item.placeholder);
    Location loc = item.placeholder->getLoc();
    Value sum;
    for (const Parameter &parameter : parameters) {
      StringRef name = parameter.spec.name;
      if (!parameter.spec.decays || !(item.prefix.empty() || (name.consume_front(item.prefix) && name.starts_with(".")))) {
        continue;
      }
      Value squares = nn::MulOp::create(builder, loc, parameter.value, parameter.value);
      Value total = nn::TotalOp::create(builder, loc, scalar, squares);
      sum = sum ? Value(nn::AddOp::create(builder, loc, sum, total)) : total;
    }
    if (!sum) {
      return emitError(loc, "`l2` finds no decaying weight below `") << item.prefix << "`";
    }
    Value half = nn::ConstantOp::create(builder, loc, scalar, DenseElementsAttr::get(scalar, 0.5F));
    Value result = nn::MulOp::create(builder, loc, sum, half);
    item.placeholder->getResult(0).replaceAllUsesWith(result);
    item.placeholder->erase();
  }
  builder.setInsertionPoint(function.front().getTerminator());
  for (const auto &[name, update] : updates) {
    nn::UpdateOp::create(builder, update.loc, name, update.next, update.of);
  }
  builder.setInsertionPoint(function);
  for (bool decays : {true, false}) {
    for (const Parameter &parameter : parameters) {
      const ParameterSpec &spec = parameter.spec;
      if (spec.decays == decays) {
        nn::GlobalOp::create(
            builder, parameter.loc, builder.getStringAttr(spec.name), TypeAttr::get(parameter.value.getType()),
            builder.getStringAttr(spec.tensorClass), builder.getStringAttr(spec.initializer), builder.getF64FloatAttr(spec.scale),
            builder.getBoolAttr(spec.decays), builder.getF64FloatAttr(spec.learning.rate), builder.getBoolAttr(spec.learning.frozen),
            builder.getStringAttr("whole"), builder.getStringAttr(spec.notice), builder.getI64IntegerAttr(spec.learning.objective));
      }
    }
  }
  return success();
}

} // namespace penstock
