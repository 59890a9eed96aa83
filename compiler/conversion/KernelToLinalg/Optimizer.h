// The arithmetic of the optimizers, shared by every place that updates parameters. Internal to this folder.
#pragma once

#include "compiler/dialect/Nn/Nn.h"
#include "mlir/IR/Builders.h"

namespace penstock {

/// Formulas are PyTorch's, in its order of operations, so that curves agree.
struct OptimizerRule {
  explicit OptimizerRule(nn::ApplyOp apply);
  /// Of an `nn.settle`.
  explicit OptimizerRule(mlir::DictionaryAttr attributes);

  llvm::StringRef kind;
  double momentum = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0, clip = 0;
  bool nesterov = false;

  /// Buffers of state beside the parameters: adam.m and adam.v, sgd.momentum, or none.
  std::vector<std::string> moments() const;
  /// Whether a row without gradient and with moments of zero changes by its decay alone.
  bool restsWithoutMoments(double decayHere) const { return kind == "adamw" || decayHere == 0; }

  /// Whether a row without gradient stays as it is, bit for bit.
  bool rests(double decayHere) const { return moments().empty() && decayHere == 0; }

  /// What one step has in common for all parameters of a rate, float32; `scale` is null where nothing is clipped.
  struct Scalars {
    mlir::Value rate, stepSize, rootCorrection, scale;
  };
  /// 1 - beta1^t and 1 - beta2^t (f64) of Adam's step t, from the number of the step (i64, from 0); null for sgd.
  struct Corrections {
    mlir::Value first, second;
  };
  Corrections corrections(mlir::OpBuilder &b, mlir::Location loc, mlir::Value step) const;
  /// From the learning rate of the step (f32).
  Scalars scalars(mlir::OpBuilder &b, mlir::Location loc, mlir::Value rate, double multiplier, const Corrections &corrections) const;
  /// parameter * (1 - rate * decay) of adamw.
  mlir::Value decayed(mlir::OpBuilder &b, mlir::Location loc, mlir::Value weight, mlir::Value rate, double decayHere) const;
  /// New parameter and moments of one element.
  llvm::SmallVector<mlir::Value> update(mlir::OpBuilder &b, mlir::Location loc, const Scalars &scalars, double decayHere,
                                        mlir::Value gradient, mlir::Value weight, mlir::ValueRange moments) const;
};

} // namespace penstock
