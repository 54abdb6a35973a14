// The words of the model file's keys that are read as something else than text, and what they stand for.
#pragma once
#include "engine/model/model.h"

namespace gannet::config {

inline constexpr Choice<LatentConfig::Distribution> distributions[] = {{"normal", LatentConfig::Distribution::normal},
                                                                       {"uniform", LatentConfig::Distribution::uniform}};
inline constexpr Choice<bool> zero_biases[] = {{"torch", false}, {"zeros", true}};
inline constexpr Choice<bool> batch_statistics[] = {{"running", false}, {"batch", true}};
inline constexpr Choice<bool> min_max_contrast[] = {{"fixed", false}, {"min_max", true}};
inline constexpr Choice<bool> stop_on_collapse[] = {{"warn", false}, {"stop", true}};
inline constexpr Choice<bool> skip_broken[] = {{"error", false}, {"skip", true}};
inline constexpr Choice<Precision> precisions[] = {
    {"fp32", Precision::fp32}, {"tf32", Precision::tf32}, {"bf16", Precision::bf16}};
inline constexpr Choice<Storage> storages[] = {{"fp32", Storage::fp32}, {"bf16", Storage::bf16}};
inline constexpr Choice<MatmulChoice> matmul_choices[] = {
    {"auto", MatmulChoice::automatic}, {"own", MatmulChoice::own}, {"cublas", MatmulChoice::cublas}};
inline constexpr Choice<MatmulChoice> tuned_choices[] = {{"own", MatmulChoice::own}, {"cublas", MatmulChoice::cublas}};
inline constexpr Choice<CudaConfig::Data> cuda_data[] = {
    {"auto", CudaConfig::Data::automatic}, {"resident", CudaConfig::Data::resident}, {"streamed", CudaConfig::Data::streamed}};

}  // namespace gannet::config
