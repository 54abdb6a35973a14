// The tables of keys of the model file, except those of layers, which are in engine/nn.
#pragma once
#include "engine/config/spec.h"

namespace gannet::config {

const ObjectSpec& file_spec();
const ObjectSpec& classifier_file_spec();
const ObjectSpec& data_spec();
const ObjectSpec& latent_spec();
const ObjectSpec& init_spec();
const ObjectSpec& objective_spec();
const ObjectSpec& penalty_spec();
const ObjectSpec& accumulate_spec();
const ObjectSpec& warm_up_spec();
const ObjectSpec& samples_spec();
const ObjectSpec& observe_spec();
const ObjectSpec& compute_spec();
const ObjectSpec& cpu_spec();
const ObjectSpec& cuda_spec();
const ObjectSpec& overrides_spec();  // what "optimizer" holds besides the keys of its type

}  // namespace gannet::config
