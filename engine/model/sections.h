// The tables of keys of the model file, except those of layers, which are in engine/nn.
#pragma once
#include "engine/config/spec.h"

namespace gannet::config {

extern const ObjectSpec file_spec;
extern const ObjectSpec classifier_file_spec;
extern const ObjectSpec data_spec;
extern const ObjectSpec latent_spec;
extern const ObjectSpec init_spec;
extern const ObjectSpec objective_spec;
extern const ObjectSpec penalty_spec;
extern const ObjectSpec accumulate_spec;
extern const ObjectSpec warm_up_spec;
extern const ObjectSpec samples_spec;
extern const ObjectSpec observe_spec;
extern const ObjectSpec compute_spec;
extern const ObjectSpec cpu_spec;
extern const ObjectSpec cuda_spec;
extern const ObjectSpec overrides_spec;  // what "optimizer" holds besides the keys of its type

}  // namespace gannet::config
