#include "engine/model/settings.h"

namespace gannet::config {

Error Settings::added_to(const Error& e) const {
    const std::string message = e.what();
    const auto shapes = [](const std::string& text) {
        const std::string section = text.substr(0, text.find_first_of(".[="));
        for (const char* shaping :
             {"variables", "data", "latent", "generator", "discriminator", "classifier", "objective", "batch"})
            if (section == shaping) return true;
        return text.ends_with("=null");  // the missing key may have been removed by a setting
    };
    std::string places;
    for (const Entry& entry : entries_) {
        if (message.find(entry.place) != std::string::npos) return e;
        if (shapes(entry.text)) places += (places.empty() ? "with " : ", ") + entry.place;
    }
    return places.empty() ? e : e.also_at(places);
}

}  // namespace gannet::config
