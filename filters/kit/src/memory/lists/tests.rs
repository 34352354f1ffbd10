//! The allocator beside what blocks must be: apart from each other, aligned, and what their owner has written.

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// A block with an owner, who has filled it with one byte.
struct Owned {
    block: *mut u8,
    layout: Layout,
    byte: u8,
}

impl Owned {
    fn new(memory: &Memory, layout: Layout, byte: u8) -> Self {
        // SAFETY: no test asks for nothing.
        let block = unsafe { memory.alloc(layout) };
        let this = Self { block, layout, byte };
        this.fill();
        this
    }

    fn fill(&self) {
        assert!(!self.block.is_null());
        assert_eq!(self.block.addr() % self.layout.align(), 0, "{:?}", self.layout);
        // SAFETY: the block is that large.
        unsafe { self.block.write_bytes(self.byte, self.layout.size()) };
    }

    /// Whoever got the same place would have written into it.
    fn check(&self, size: usize) {
        for index in 0..size {
            // SAFETY: the block is at least that large, and was filled.
            assert_eq!(unsafe { self.block.add(index).read() }, self.byte, "{index} of {:?}", self.layout);
        }
    }

    fn resize(&mut self, memory: &Memory, size: usize) {
        let kept = self.layout.size().min(size);
        // SAFETY: the block was handed out for this layout.
        self.block = unsafe { memory.realloc(self.block, self.layout, size) };
        self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
        self.check(kept);
        self.fill();
    }

    fn free(self, memory: &Memory) -> *mut u8 {
        self.check(self.layout.size());
        // SAFETY: the block was handed out for this layout, and this is its end.
        unsafe { memory.dealloc(self.block, self.layout) };
        self.block
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

#[test]
fn a_block_that_was_freed_is_handed_out_for_every_size_that_it_has_room_for() {
    let memory = Memory::new();
    for (least, most) in [(1, 16), (17, 32), (33, 64), (4097, 8192)] {
        let block = Owned::new(&memory, layout(most), 1).free(&memory);
        for size in [least, most] {
            let again = Owned::new(&memory, layout(size), 2);
            assert_eq!(again.block, block, "{size}");
            let another = Owned::new(&memory, layout(size), 3);
            assert_ne!(another.block, block, "{size}: it has an owner");
            another.free(&memory);
            again.free(&memory);
        }
    }
}

#[test]
fn every_size_that_is_kept_has_a_list_and_the_largest_has_the_last() {
    let memory = Memory::new();
    let lists: Vec<usize> = (1..=crate::memory::LARGEST)
        .map(|size| {
            memory
                .lists
                .iter()
                .position(|list| std::ptr::eq(list, memory.list(layout(size)).unwrap().0))
                .unwrap()
        })
        .collect();
    assert!(lists.is_sorted());
    assert_eq!((lists.first(), lists.last()), (Some(&0), Some(&(SIZES - 1))));
}

#[test]
fn what_is_large_or_strictly_aligned_is_on_no_list() {
    let memory = Memory::new();
    for layout in [layout(8193), Layout::from_size_align(16, 32).unwrap(), layout(1 << 20)] {
        assert!(memory.list(layout).is_none(), "{layout:?}");
        Owned::new(&memory, layout, 1).free(&memory);
    }
    assert!(memory.lists.iter().all(|list| list.first.get().is_null()));
}

#[test]
fn what_grows_within_its_block_stays_where_it_is() {
    let memory = Memory::new();
    let mut owned = Owned::new(&memory, layout(17), 1);
    let block = owned.block;
    owned.resize(&memory, 32);
    assert_eq!(owned.block, block);
    owned.resize(&memory, 33);
    assert_ne!(owned.block, block);
    owned.resize(&memory, 10_000);
    owned.resize(&memory, 20_000);
    owned.resize(&memory, 8);
    owned.free(&memory);
}

#[test]
fn a_list_is_short_however_many_blocks_are_freed() {
    let memory = Memory::new();
    for size in [16, 8192] {
        let many: Vec<Owned> = (0..10_000).map(|_| Owned::new(&memory, layout(size), 1)).collect();
        for owned in many {
            owned.free(&memory);
        }
        let list = memory.list(layout(size)).unwrap().0;
        assert_eq!(list.bytes.get(), MOST);
        let mut length = 0;
        let mut block = list.first.get();
        while !block.is_null() {
            length += 1;
            // SAFETY: a block on a list begins with where the next one is.
            block = unsafe { block.cast::<*mut u8>().read() };
        }
        assert_eq!(length, MOST / size);
    }
}

proptest! {
    #[test]
    fn blocks_keep_what_was_written_into_them_whatever_else_is_handed_out(
        steps in proptest::collection::vec((0..4_u8, 0..16_usize, 1..=20_000_usize, 0..5_u32), 1..200),
    ) {
        let memory = Memory::new();
        let mut owned: Vec<Owned> = Vec::new();
        for (number, (step, which, size, align)) in steps.into_iter().enumerate() {
            let byte = u8::try_from(number % 251).unwrap();
            // Small sizes are what it is about: half of them.
            let size = if number % 2 == 0 { size % 100 + 1 } else { size };
            match (step, owned.len()) {
                (0, 1..) => {
                    let index = which % owned.len();
                    owned.swap_remove(index).free(&memory);
                }
                (1, 1..) => {
                    let index = which % owned.len();
                    owned[index].resize(&memory, size);
                }
                _ => owned.push(Owned::new(&memory, Layout::from_size_align(size, 1 << align).unwrap(), byte)),
            }
        }
        for owned in owned {
            owned.free(&memory);
        }
    }
}
