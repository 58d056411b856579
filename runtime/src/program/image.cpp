#include "program/image.hpp"

#include <cstring>

#include "program/crc32.hpp"

namespace elman {
namespace {

constexpr std::size_t kHeader = 64;
constexpr std::uint32_t kVersion = 1;
constexpr Index kMostEntries = 1 << 16;

bool within(Index index, Index size) { return index >= 0 && index < size; }

template <class T>
T number_at(const unsigned char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// Takes words one after the other; once they have run out, or a count is too large, `good` is
// false and everything read is 0.
class Words {
public:
    Words(const unsigned char* data, Index count) : data_(data), left_(count) {}

    Index next() {
        if (left_ == 0) good = false;
        if (!good) return 0;
        --left_;
        const auto value = number_at<Index>(data_);
        data_ += sizeof value;
        return value;
    }

    std::int32_t small() {
        const Index value = next();
        if (value < INT32_MIN || value > INT32_MAX) good = false;
        return static_cast<std::int32_t>(value);
    }

    double real() {
        const Index bits = next();
        double value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }

    // A list's count: each entry takes a word at least.
    Index entries() {
        const Index count = next();
        if (count < 0 || count > kMostEntries || count > left_) good = false;
        return good ? count : 0;
    }

    template <class Entry, class Read>
    std::vector<Entry> list(Read read) {
        std::vector<Entry> found;
        for (Index left = entries(); left > 0 && good; --left) found.push_back(read());
        return found;
    }

    std::vector<Index> indices() { return list<Index>([&] { return next(); }); }
    std::vector<std::int32_t> smalls() { return list<std::int32_t>([&] { return small(); }); }
    std::vector<double> doubles() { return list<double>([&] { return real(); }); }

    bool finished() const { return good && left_ == 0; }

    bool good = true;

private:
    const unsigned char* data_;
    Index left_;
};

template <class Enum>
Enum enumerated(Index value) {
    return value < 0 || value > 255 ? Enum::count : static_cast<Enum>(value);
}

Section read_section(Words& words) {
    return words.list<Instruction>([&] {
        Instruction line{};
        line.op = enumerated<Op>(words.next());
        line.to = words.small();
        for (std::int32_t& operand : line.of) operand = words.small();
        return line;
    });
}

// Counts; slots; numbers; widths of outputs; products; prologue, update, read.
Plan read_plan(Words& words) {
    Plan plan{};
    for (std::int32_t* each : {&plan.gates, &plan.recurrent, &plan.states, &plan.params, &plan.inputs})
        *each = words.small();
    for (const std::int32_t count : words.smalls()) {
        // One more than there are spaces is caught below.
        if (plan.columns < static_cast<std::int32_t>(Space::count)) plan.count[plan.columns] = count;
        ++plan.columns;
    }
    if (plan.columns != static_cast<std::int32_t>(Space::count)) words.good = false;
    plan.columns = 0;
    plan.slots = words.list<Slot>([&] {
        const auto space = enumerated<Space>(words.next());
        const std::int32_t index = words.small();
        return Slot{space, index, words.next() != 0};
    });
    plan.numbers = words.doubles();
    for (const Index narrow : words.indices()) plan.narrow_output.push_back(narrow != 0);
    plan.products = words.list<Product>([&] {
        Product product{};
        product.vector = words.small();
        product.first_u = words.small();
        product.gates = words.smalls();
        product.added = words.smalls();
        return product;
    });
    plan.prologue = read_section(words);
    plan.update = read_section(words);
    plan.read = read_section(words);
    plan.whole_rows = true;
    return plan;
}

Node read_node(Words& words) {
    Node node{};
    const Index code = words.next();
    node.code = within(code, Node::count) ? static_cast<Node::Code>(code) : Node::count;
    node.in = words.indices();
    node.out = words.next();
    node.states = words.indices();
    node.integers = words.indices();
    node.doubles = words.doubles();
    if (node.code == Node::cell) node.plan = read_plan(words);
    return node;
}

void read_words(Words& words, Image& image) {
    image.inputs = words.list<Feed>([&] {
        const bool integer = words.next() != 0;
        const Index size = words.next();
        return Feed{integer, size, words.next()};
    });
    image.states = words.list<Carried>([&] {
        const Index size = words.next();
        return Carried{size, words.next()};
    });
    image.values = words.list<Value>([&] {
        const Index kind = words.next();
        Value value{};
        value.kind = within(kind, Value::count) ? static_cast<Value::Kind>(kind) : Value::count;
        value.of = words.next();
        value.offset = words.next();
        value.lead = words.next();
        value.width = words.next();
        return value;
    });
    image.outputs = words.indices();
    image.nodes = words.list<Node>([&] { return read_node(words); });
}

std::string sizes_wrong(const unsigned char* data, std::size_t size, Image& image, Index& words) {
    if (size < kHeader || std::memcmp(data, "elmanimg", 8) != 0) return "these bytes are no image";
    const auto version = number_at<std::uint32_t>(data + 8);
    if (version != kVersion) return "the image has version " + std::to_string(version) + ", and this is version 1";
    const auto real_size = number_at<std::uint32_t>(data + 16);
    const auto word_count = number_at<std::uint64_t>(data + 24), reals = number_at<std::uint64_t>(data + 32);
    if (real_size != 4 && real_size != 8) return "numbers have 4 or 8 bytes";
    if (word_count > size / 8 || reals > size / real_size) return "it is cut short";
    const std::size_t begin = (kHeader + word_count * 8 + 63) / 64 * 64;
    if (size != begin + reals * real_size) return "its size is not what its header says";
    if (crc32(data + 16, size - 16) != number_at<std::uint32_t>(data + 12)) return "its checksum does not fit: copy it again";
    image.real_size = static_cast<int>(real_size);
    image.reals = data + begin;
    image.real_count = static_cast<Index>(reals);
    words = static_cast<Index>(word_count);
    return {};
}

}  // namespace

std::string read_image(const void* bytes, std::size_t size, Image& image) {
    const auto* data = static_cast<const unsigned char*>(bytes);
    Index count = 0;
    std::string wrong = sizes_wrong(data, size, image, count);
    if (wrong.empty()) {
        Words words(data + kHeader, count);
        read_words(words, image);
        wrong = words.finished() ? check_image(image) : "its lists do not fill it";
    }
    return wrong.empty() ? wrong : "image: " + wrong;
}

}  // namespace elman
