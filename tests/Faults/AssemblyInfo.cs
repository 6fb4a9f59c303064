// Each test breaks something that all of them use.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
