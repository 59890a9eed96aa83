// What the library of an artifact has beside its C interface.
#pragma once

extern "C" {
/// The command of the artifact; gives its exit code.
__attribute__((visibility("default"))) int penstock_artifact_main(int argc, char **argv);
/// The same with `train` as its first argument: of an artifact that was built to be trained; of another one it is not there.
__attribute__((weak, visibility("hidden"))) int penstock_artifact_train(int argc, char **argv, const char *name);
}
