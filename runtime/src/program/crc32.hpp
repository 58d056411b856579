// The checksum of zlib and PNG (polynomial 0xedb88320).
#pragma once

#include <cstddef>
#include <cstdint>

namespace elman {

inline std::uint32_t crc32(const unsigned char* data, std::size_t size) {
    // Four bits at a time: a table that fits one cache line.
    static constexpr std::uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    std::uint32_t sum = 0xffffffff;
    for (std::size_t i = 0; i < size; ++i) {
        sum ^= data[i];
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return ~sum;
}

}  // namespace elman
