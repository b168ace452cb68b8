import { test } from 'node:test'
import { databaseContract } from '../contract.ts'

databaseContract((name, run) => void test(name, run))
