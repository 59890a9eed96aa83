#include "runtime/cuda/handles.h"

#include "runtime/base/checked.h"
#include "runtime/cuda/kernels/contractions.h"
#include "runtime/cuda/launch.h"

#include <new>

namespace penstock::cuda {
namespace {

using Numbers = const std::int64_t *; // of a dispatch, checked

struct Maker {
  std::string_view kind;
  MadeObject<KernelObject> (*make)(Numbers n, Device &device);
};

template <class Made, class... Arguments> MadeObject<KernelObject> made(const Arguments &...arguments) {
  return std::unique_ptr<KernelObject>(new (std::nothrow) Made(arguments...));
}

MadeObject<KernelObject> makeMatmul(const WeightShape &shape, bool rounds, Device &device) {
  if (!rounds) {
    return made<MatmulHandle>(shape);
  }
  PENSTOCK_ASSIGN(const std::size_t bytes, ((Checked(packedDepthOf(shape.k)) * 2) * shape.n).size("a packed weight"));
  PENSTOCK_ASSIGN(DeviceMemory room, DeviceMemory::allocate(device, bytes, "a packed weight"));
  return std::unique_ptr<KernelObject>(new (std::nothrow) MatmulHandle(shape, std::move(room)));
}

const Maker makers[] = {
    {"matmul", [](Numbers n, Device &device) { return makeMatmul({n[0], n[1], n[2] != 0, n[3]}, n[4] == 1, device); }},
    {"weight_gradient", [](Numbers n, Device &) { return made<WeightGradientHandle>(n[0], n[1], n[2] == 1); }},
    {"conv1d", [](Numbers n, Device &) { return made<ConvHandle>(n[0], n[1], n[2]); }},
};

} // namespace

void MatmulHandle::take(const PenstockCall *call, const float *at) {
  if (!rounds) {
    weight = at;
    return;
  }
  packLater(call, {at, static_cast<unsigned *>(packed.data()), static_cast<int>(shape.stride), static_cast<int>(shape.k),
                   static_cast<int>(shape.n), 0, shape.transposed ? 1 : 0});
}

Result<KernelHandle> makeHandle(const PenstockDispatch &dispatch, Device &device) {
  PENSTOCK_ASSIGN(const KernelHandleKind *const kind, checkDispatch(dispatch));
  for (const Maker &maker : makers) {
    if (maker.kind == kind->name) {
      PENSTOCK_ASSIGN(std::unique_ptr<KernelObject> object, maker.make(dispatch.attributes, device));
      if (object == nullptr) {
        return environmentError("memory ran out while kernels were made; take a smaller model or a larger machine");
      }
      return KernelHandle(object.release());
    }
  }
  return invalidInput(
      "the program asks for a handle of `" + std::string(kind->name) +
      "` on a CUDA device, which this version does not have; compile the pipeline again, or use the version that compiled it");
}

} // namespace penstock::cuda
