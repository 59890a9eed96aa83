// libFuzzer target of what a folder of a pretrained model holds. The first byte says which file: `c` config.json, `s`
// model.safetensors, `i` model.safetensors.index.json. What must hold beside not crashing: every tensor lies inside the file.
#include "compiler/frontend/encoders.h"
#include "runtime/exec/pretrained.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

using namespace penstock;

namespace {

const std::string &folder() {
  static const std::string path = [] {
    std::string made = (std::filesystem::temp_directory_path() / ("penstock_fuzz_" + std::to_string(getpid()))).string();
    std::filesystem::create_directories(made);
    std::atexit([] { std::filesystem::remove_all(folder()); });
    return made;
  }();
  return path;
}

void write(const std::string &name, std::string_view text) {
  std::ofstream(folder() + "/" + name, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char *>(data) + 1, size - 1);
  if (data[0] == 'c') {
    for (const char *family : {"bert", "roberta", "distilbert"}) {
      const auto shape = frontend::readEncoderConfig(frontend::encoderFamily(family), std::string(text));
      if (shape.ok() && (shape->hidden < 1 || shape->heads < 1 || shape->hidden % shape->heads != 0 || shape->positions < 1 ||
                         !(shape->epsilon >= 1e-37 && shape->epsilon <= 0.01) || !(shape->dropout >= 0 && shape->dropout < 1) ||
                         !(shape->attentionDropout >= 0 && shape->attentionDropout < 1) || shape->layers > 1000)) {
        std::abort();
      }
      for (const std::string &key : frontend::unreadKeys(frontend::encoderFamily(family), std::string(text))) {
        if (key.size() > 1000) {
          std::abort();
        }
      }
    }
    return 0;
  }
  for (const char *name : {"model.safetensors", "model.safetensors.index.json"}) {
    std::filesystem::remove(folder() + "/" + name);
  }
  write("config.json", "{}");
  write(data[0] == 'i' ? "model.safetensors.index.json" : "model.safetensors", text);
  const auto model = PretrainedFolder::open(folder());
  if (model.ok()) {
    unsigned sum = 0;
    for (const auto &[name, tensor] : model->tensors()) {
      if (tensor.elements > 0) { // the first and last byte are readable
        const std::size_t each = tensor.type == "F64" || tensor.type == "I64" ? 8 : tensor.type == "F32" ? 4 : 1;
        sum += tensor.data[0] + tensor.data[static_cast<std::size_t>(tensor.elements) * each - 1];
      }
    }
    volatile unsigned keep = sum;
    (void)keep;
  }
  return 0;
}
