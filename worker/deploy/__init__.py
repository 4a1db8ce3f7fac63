"""`modfleet deploy`: the stacks of `deploy/`, in order, and one test object followed through what they made."""
