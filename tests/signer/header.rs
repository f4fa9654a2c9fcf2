//! Main headers of packages, made by hand.

/// The main header of `NAME-1-1.x86_64`.
pub fn of(name: &str) -> Vec<u8> {
    const STRING: u32 = 6;
    const ARRAY: u32 = 8;
    const INT32: u32 = 4;
    let digest = "ab".repeat(32);
    let texts = [
        (1000, STRING, name),
        (1001, STRING, "1"),
        (1002, STRING, "1"),
        (1022, STRING, "x86_64"),
        (1044, STRING, "source-1-1.src.rpm"),
        (5092, ARRAY, &digest),
    ];
    let (mut index, mut data) = (Vec::new(), Vec::new());
    let mut entry = |tag: u32, kind: u32, offset: usize, count: u32| {
        for number in [tag, kind, u32::try_from(offset).unwrap(), count] {
            index.extend_from_slice(&number.to_be_bytes());
        }
    };
    for (tag, kind, text) in texts {
        entry(tag, kind, data.len(), 1);
        data.extend_from_slice(text.as_bytes());
        data.push(0);
    }
    data.resize(data.len().next_multiple_of(4), 0);
    entry(5093, INT32, data.len(), 1);
    data.extend_from_slice(&8_u32.to_be_bytes());
    // The region: its entry stands first, its trailer at the end says how much of the index it covers.
    let count = u32::try_from(texts.len() + 2).unwrap();
    let offset = u32::try_from(data.len()).unwrap();
    let region = [63_u32, 7, offset, 16].map(u32::to_be_bytes).concat();
    let back = 0_u32.wrapping_sub(16 * count);
    data.extend([63_u32, 7, back, 16].map(u32::to_be_bytes).concat());
    let mut header = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
    header.extend(count.to_be_bytes());
    header.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    [header, region, index, data].concat()
}
