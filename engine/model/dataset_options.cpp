#include "engine/model/dataset_options.h"

namespace gannet {

DatasetOptions dataset_options(const config::Object& data) {
    return {.set = data.text("set"),
            .path = data.text("path"),
            .split = data.text("split"),
            .size = data.integer("size"),
            .first = data.integer("first"),
            .channels = data.integer("channels"),
            .crop = data.integer("crop"),
            .background = data.text("background"),
            .skip_broken = data.text("broken") == "skip",
            .cache = data.boolean("cache"),
            .max_pixels = data.integer("max_pixels"),
            .max_bytes = data.integer("max_bytes"),
            .where = [data](const std::string& key) { return data.where(key); }};
}

}  // namespace gannet
